# From the policy document to option values of NixOS: a function of builtins alone, without nixpkgs.
#
# The result is grouped by layer, so that a module can place one layer and nothing else:
#   layers.<layer>  the option values of that layer, as they would be written in a configuration
#   texts           what needs a package around it (the D-Bus policy and activation files)
#   places          paths of programs and names of groups, for whoever judges the machine
#   controls        which controls are in force, waived, or left out by level or layer
{
  policyFile ? ../policy.json,
  policy ? builtins.fromJSON (builtins.readFile policyFile),
  level ? "strict",
  layers ? { },
  waivers ? [ ],
  # Paths of the product's programs: { daemon = "/nix/store/…/bin/dots-family-daemon"; … }
  binaries ? policy.product.binaries,
  # Names of the roles' groups, where they are not those of Debian: { parents = "dots-family-parents"; … }
  groups ? { },
  # Paths of the system's programs: { kill = "/nix/store/…/bin/kill"; … }
  tools ? { },
  # AppArmor rules for the libraries of each program: { daemon = "/nix/store/…-rules"; … }
  closures ? { },
}:
let
  levels = import ./levels.nix;
  layerNames = import ./layers.nix;
  checked = import ./checks.nix {
    inherit policy level layers waivers levels layerNames groups;
    file = toString policyFile;
  };
  places = import ./places.nix;
  allGroups = policy.product.groups // groups;
  text = import ./text.nix { inherit policy binaries tools; groups = allGroups; };

  on = layer: layers.${layer} or true;
  inForce =
    id:
    let
      control = policy.controls.${id};
    in
    id != null -> (
      builtins.elem control.severity levels.${level} && on control.layer && !(builtins.elem id waivers)
    );
  active = builtins.filter (one: inForce one.control);

  context = {
    inherit policy places text active inForce on closures;
    groups = allGroups;
  };
  pairs = values: builtins.listToAttrs (map (one: { inherit (one) name value; }) values);
  only = layer: value: if on layer then value else { };
  modprobe = map (one: "install ${one.module} ${text.tool "false"}") (active policy.modules);
  sets = builtins.filter (id: policy.controls.${id}.sets) (builtins.attrNames policy.controls);
in
assert checked;
{
  layers = {
    unit = only "unit" (import ./units.nix context);
    apparmor = only "apparmor" (import ./apparmor.nix context);
    audit = only "audit" (import ./audit.nix context);
    sysctl.boot.kernel.sysctl = builtins.removeAttrs (pairs (text.values (active policy.sysctl))) places.sysctlsWithoutEffect;
    tuning.boot.kernel.sysctl = pairs (text.values (active policy.tuning));
    kernel.boot.kernelParams = builtins.filter (
      word: !(builtins.elem word places.parametersWithoutEffect)
    ) (map (one: one.parameter) (active policy.kernel));
    module.boot.extraModprobeConfig = builtins.concatStringsSep "" (map (line: line + "\n") modprobe);
    nft = only "nft" (import ./nft.nix context);
    mode.systemd.tmpfiles.rules = builtins.filter (
      rule: !(builtins.any (path: text.mentions path rule) places.modesOfOthers)
    ) (map (one: one.rule) (active policy.modes));
    sshd.services.openssh.settings = pairs (map text.sshd (active policy.sshd));
    journal = only "journal" {
      environment.etc."systemd/journald.conf.d/50-${policy.product.name}.conf".text = text.journal (active policy.journal);
    };
    account = only "account" (import ./accounts.nix context);
    file = only "file" (import ./files.nix context).values;
  };
  texts = {
    bus = if on "bus" then text.joined (active policy.bus.segments) else null;
    inherit (import ./files.nix context) activation session;
  };
  places = {
    inherit binaries tools;
    groups = allGroups;
  };
  controls = {
    active = builtins.filter inForce sets;
    waived = builtins.filter (id: builtins.elem id waivers) sets;
    left = builtins.filter (id: !(inForce id) && !(builtins.elem id waivers)) sets;
  };
}
