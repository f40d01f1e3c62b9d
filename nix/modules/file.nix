# polkit's rules, logrotate's settings, and the defaults of log-ins and shells.
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
    environment.etc = wanted.environment.etc or { };
    environment.shellInit = wanted.environment.shellInit or "";
    security.loginDefs.settings = lib.mapAttrs (_: place.ours) (wanted.security.loginDefs.settings or { });
    security.pam.loginLimits = wanted.security.pam.loginLimits or [ ];
    services.logrotate.settings = lib.mapAttrs (_: lib.mapAttrs (_: place.ours)) (
      wanted.services.logrotate.settings or { }
    );
  };
}
