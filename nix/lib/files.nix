# Whole files, each where NixOS wants it: polkit's rules, logrotate's settings, the bus's activation file.
{ policy, text, active, ... }:
let
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
    services.logrotate.settings = builtins.listToAttrs (
      map (whole: { inherit (policy.product) name; value = rotation whole; }) (texts "/etc/logrotate[.]d/")
    );
  };
  session = builtins.concatStringsSep "" (texts "/etc/dbus-1/session[.]d/");
  activation = builtins.concatStringsSep "" (texts "/usr/share/dbus-1/system-services/");
}
