# What is wrong with a configuration around ours, as NixOS assertions; each message names the option, and what to do.
#
#   vendor   whether something declares services.dots-family.enable
#   wanted   whether the layer apparmor is on
#   loaded   whether AppArmor is on
#   paths    by name of a profile of ours: the file that somebody else set for it, or null
{ vendor, wanted, loaded, paths }:
let
  twice = name: {
    assertion = paths.${name} == null;
    message = "security.apparmor.policies.\"${name}\": has `path` (${toString paths.${name}}) beside the `profile` that nix/modules/apparmor.nix sets, and a policy has one of both: remove `path`, or switch services.dots-family.hardening.layers.apparmor.enable off";
  };
in
[
  {
    assertion = vendor;
    message = "services.dots-family.hardening.enable: nothing declares services.dots-family.enable; import the vendor's module beside nix/modules/hardening.nix, or nix/modules/default.nix for the reference workload";
  }
  {
    assertion = wanted -> loaded;
    message = "services.dots-family.hardening.layers.apparmor: security.apparmor.enable is false, so no profile is loaded and the units would not start; set it to true or switch the layer off";
  }
]
++ map twice (builtins.attrNames paths)
