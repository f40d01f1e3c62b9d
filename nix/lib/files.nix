# Whole files, each where NixOS wants it: polkit's rules, logrotate's settings, the bus's activation file.
{ policy, text, active, ... }:
let
  # Lines of one file that belong to its control: what stands behind the comment that names it.
  owned =
    one:
    let
      marker = "# ${one.control}:";
      size = builtins.stringLength marker;
      step =
        found: line:
        if found.begun then
          found // { lines = found.lines ++ [ line ]; }
        else
          found // { begun = builtins.substring 0 size line == marker; };
      all = builtins.foldl' step { begun = false; lines = [ ]; } (lines one.text);
    in
    builtins.filter (line: builtins.match "[[:space:]]*(#.*)?" line == null) all.lines;
  ownedAt = path: builtins.concatMap owned (at path);
  words = line: builtins.filter builtins.isString (builtins.split " +" line);
  limit =
    line:
    let
      four = words line;
    in
    {
      domain = builtins.elemAt four 0;
      type = builtins.elemAt four 1;
      item = builtins.elemAt four 2;
      value = builtins.elemAt four 3;
    };
  pair = line: { name = builtins.head (words line); value = builtins.elemAt (words line) 1; };

  # Files that NixOS has at the same path, as they are.
  kept = builtins.concatMap at [ "/etc/issue" "/etc/systemd/coredump[.]conf[.]d/" ];
  etc = one: {
    name = builtins.substring 5 (builtins.stringLength one.path) one.path;
    value.text = text.filled one.text;
  };

  at = prefix: builtins.filter (one: builtins.match "${prefix}.*" one.path != null) (active policy.files);
  texts = prefix: map (one: text.filled one.text) (at prefix);
  lines = whole: builtins.filter builtins.isString (builtins.split "\n" whole);
  matches = pattern: whole: builtins.filter (one: one != null) (map (builtins.match pattern) (lines whole));

  # logrotate's file as the settings that nixpkgs has for it: words at one depth, the script at the next.
  rotation =
    whole:
    let
      words = builtins.filter (one: !(builtins.elem (builtins.head one) [ "postrotate" "endscript" ])) (
        matches "    ([a-z]+) ?(.*)" whole
      );
      setting = one: {
        name = builtins.head one;
        value = if builtins.elemAt one 1 == "" then true else builtins.elemAt one 1;
      };
    in
    builtins.listToAttrs (map setting words)
    // {
      files = map builtins.head (matches "(/[^ ]+) \\{" whole);
      postrotate = builtins.concatStringsSep "\n" (map builtins.head (matches "        (.*)" whole));
    };
in
{
  values = {
    security.polkit.extraConfig = builtins.concatStringsSep "\n" (texts "/etc/polkit-1/");
    environment.etc = builtins.listToAttrs (map etc kept);
    environment.shellInit = builtins.concatStringsSep "" (map (line: line + "\n") (ownedAt "/etc/profile[.]d/"));
    security.loginDefs.settings = builtins.listToAttrs (map pair (ownedAt "/etc/login[.]defs"));
    security.pam.loginLimits = map limit (ownedAt "/etc/security/limits[.]d/");
    services.logrotate.settings = builtins.listToAttrs (
      map (whole: { inherit (policy.product) name; value = rotation whole; }) (texts "/etc/logrotate[.]d/")
    );
  };
  session = builtins.concatStringsSep "" (texts "/etc/dbus-1/session[.]d/");
  activation = builtins.concatStringsSep "" (texts "/usr/share/dbus-1/system-services/");
}
