# Profiles of the programs, attached to their paths in the store.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.apparmor;
in
{
  config = lib.mkIf cfg.enable {
    security.apparmor.enable = lib.mkIf cfg.layers.apparmor.enable (lib.mkDefault true);
    security.apparmor.policies = wanted.security.apparmor.policies or { };
    services.dbus.apparmor = lib.mkIf cfg.layers.apparmor.enable (lib.mkDefault "enabled");
  };
}
