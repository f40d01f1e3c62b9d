# polkit's rules and logrotate's settings.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  wanted = cfg.result.layers.file;
in
{
  config = lib.mkIf cfg.enable {
    security.polkit = lib.mkIf cfg.layers.file.enable {
      enable = lib.mkDefault true;
      extraConfig = wanted.security.polkit.extraConfig;
    };
    services.logrotate.settings = lib.mapAttrs (_: lib.mapAttrs (_: place.ours)) (
      wanted.services.logrotate.settings or { }
    );
  };
}
