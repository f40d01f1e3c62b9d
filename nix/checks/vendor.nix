# A model of the vendor's own module: it declares the product's options, and defines units, accounts and a bus policy
# its own way. The hardening has to sit on top of it.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.dots-family;
  unit = settings: {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Restart = "on-failure";
      ProtectSystem = true;
      SystemCallFilter = "@system-service";
      ReadWritePaths = [ "/var/lib/dots-family" ];
    }
    // settings;
  };
in
{
  options.services.dots-family = {
    enable = lib.mkEnableOption "DOTS Family Mode";
    package = lib.mkOption { type = lib.types.package; default = pkgs.coreutils; };
    parentUsers = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
  };
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    systemd.services = {
      dots-family-daemon = unit { Type = "dbus"; BusName = "org.dots.FamilyDaemon"; User = "root"; };
      "dots-family-monitor@" = unit { User = "%i"; };
      dots-family-filter = unit { User = "dots-filter"; };
    };
    users.users.dots-family = { isSystemUser = true; group = "dots-family"; home = "/var/lib/dots-family"; };
    users.groups = { dots-family = { }; dots-family-parents = { }; dots-family-children = { }; };
  };
}
