# What the kernel writes down.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  wanted = cfg.result.layers.audit;
in
{
  config = lib.mkIf cfg.enable {
    security.audit.enable = lib.mkIf cfg.layers.audit.enable (place.ours wanted.security.audit.enable);
    security.audit.backlogLimit = lib.mkIf (wanted ? security.audit.backlogLimit) (
      place.ours wanted.security.audit.backlogLimit
    );
    security.audit.rules = wanted.security.audit.rules or [ ];
    # A watch whose folder is not there yet is refused, and so is every rule behind it.
    systemd.services.audit-rules-nixos.after = lib.mkIf cfg.layers.audit.enable [
      "suid-sgid-wrappers.service"
      "systemd-tmpfiles-setup.service"
    ];
    systemd.tmpfiles.rules = lib.optional cfg.layers.audit.enable "d /nix/var/nix/profiles 0755 root root -";
    security.auditd.enable = lib.mkIf cfg.layers.audit.enable (lib.mkDefault true);
  };
}
