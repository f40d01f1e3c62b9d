# Evaluates the hardened configuration with the real modules of a whole nixpkgs tree. Forcing the values checks
# that every option that we set exists, and takes what we give it; nothing is built.
{ nixpkgs, system ? "x86_64-linux", configuration ? import ./snippet.nix }:
let
  evaluated = import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit system;
    modules = [
      ../modules/default.nix
      configuration
      {
        boot.loader.grub.enable = false;
        fileSystems."/" = { device = "/dev/disk/by-partlabel/root"; fsType = "ext4"; };
        system.stateVersion = "25.11";
      }
    ];
  };
  inherit (evaluated) config;
  ours = [ "dots-family-daemon" "dots-family-filter" "dots-family-monitor@" ];
in
{
  failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
  units = map (name: config.systemd.services.${name}.serviceConfig) ours;
  inherit (config.boot) kernelParams extraModprobeConfig;
  sysctl = config.boot.kernel.sysctl;
  audit = config.security.audit.rules;
  auditd = config.security.auditd.enable;
  apparmor = map (one: one.state) (builtins.attrValues config.security.apparmor.policies);
  tmpfiles = config.systemd.tmpfiles.rules;
  sshd = config.services.openssh.settings;
  logrotate = config.services.logrotate.settings.dots-family;
  polkit = config.security.polkit.extraConfig;
}
