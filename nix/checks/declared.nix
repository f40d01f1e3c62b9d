# Evaluates the modules with the option declarations of a nixpkgs tree: each file below gives its options with their
# real types, and none of its settings, so that neither a package nor the rest of nixpkgs is needed.
{ nixpkgs, configuration ? { }, reference ? true }:
let
  lib = import (nixpkgs + "/lib");
  files = [
    "config/shells-environment.nix"
    "config/sysctl.nix"
    "config/system-path.nix"
    "config/users-groups.nix"
    "misc/assertions.nix"
    "programs/shadow.nix"
    "security/apparmor.nix"
    "security/audit.nix"
    "security/auditd.nix"
    "security/pam.nix"
    "security/polkit.nix"
    "services/logging/logrotate.nix"
    "services/networking/nftables.nix"
    "services/networking/ssh/sshd.nix"
    "services/system/dbus.nix"
    "system/boot/kernel.nix"
    "system/boot/modprobe.nix"
    "system/boot/systemd.nix"
    "system/boot/systemd/tmpfiles.nix"
    "system/etc/etc.nix"
  ];
  declares =
    name:
    let
      file = nixpkgs + "/nixos/modules/${name}";
      module = import file;
      options = given: {
        _file = toString file;
        options = given.options or { };
      };
    in
    if !builtins.pathExists file then
      throw "${toString file}: no such file: nixpkgs has moved it, so nix/checks/declared.nix has to name its new place"
    else if builtins.isFunction module then
      lib.setFunctionArgs (arguments: options (module arguments)) (builtins.functionArgs module)
    else
      options module;
  pkgs = import ./packages.nix { inherit lib nixpkgs; };
in
import ./evaluate.nix {
  inherit lib configuration reference pkgs;
  declarations = map declares files;
  arguments = config: { utils = import (nixpkgs + "/nixos/lib/utils.nix") { inherit config lib pkgs; }; };
}
