# Rules of the kernel's audit log; a watch whose Debian path does not exist on NixOS looks where the thing lies.
{ policy, places, text, active, inForce, ... }:
let
  moved =
    rule:
    let
      parts = builtins.match "-w ([^ ]+) (.*)" rule;
      path = builtins.head parts;
    in
    if parts != null && builtins.hasAttr path places.watches then
      "-w ${places.watches.${path}} ${builtins.elemAt parts 1}"
    else
      text.filled rule;
  placed = map (one: moved (builtins.replaceStrings [ "@systemctl@" ] [ (text.tool "systemctl") ] one.rule)) (active policy.audit.rules);
  # nixpkgs sets the limit once more when it loads the rules, to a far smaller one unless told.
  limits = builtins.filter (one: one != null) (
    map (one: builtins.match "audit_backlog_limit=([0-9]+)" one.parameter) (active policy.kernel)
  );
in
{
  security.audit = {
    enable = if policy.audit.immutable != null && inForce policy.audit.immutable then "lock" else true;
    rules = placed;
  }
  // (if limits == [ ] then { } else { backlogLimit = builtins.fromJSON (builtins.head (builtins.head limits)); });
  security.auditd.enable = true;
}
