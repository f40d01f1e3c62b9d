# The monthly audit. It is packed by this repository's Python when the system is built, so it waits to be asked for.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  unit = "dots-family-security-audit";
  wanted = import ../lib/monthly.nix { program = "${cfg.audit.package}/bin/security-audit"; };
in
{
  options.services.dots-family.hardening.audit = {
    enable = lib.mkEnableOption "the monthly audit of this machine; its reports go to /var/log/dots-family-hardening";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../security-audit.nix { inherit (cfg.result) places; };
      defaultText = lib.literalExpression "pkgs.callPackage ./security-audit.nix { … }";
      description = "The package with `security-audit`, which has the checks for this very system.";
    };
  };
  config = lib.mkIf (cfg.enable && cfg.audit.enable) {
    environment.systemPackages = [ cfg.audit.package ];
    systemd.services.${unit} = {
      description = "Security audit of DOTS Family Mode";
      serviceConfig = lib.mapAttrs (_: place.ours) wanted.service;
    };
    systemd.timers.${unit} = {
      description = "Monthly security audit of DOTS Family Mode";
      wantedBy = [ "timers.target" ];
      timerConfig = lib.mapAttrs (_: place.ours) wanted.timer;
    };
  };
}
