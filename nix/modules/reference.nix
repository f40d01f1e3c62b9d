# The reference workload as a NixOS service, in the place of the vendor's own module.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.dots-family;
  source = ../../images/workload/reference/package/root;
  settings = [ "daemon.conf" "monitor.conf" "filter.conf" "blocklist" ];
  # A copy and no link: modes of a link mean nothing, and AppArmor sees the path that the link leads to.
  copied = name: {
    name = "dots-family/${name}";
    value = {
      source = source + "/etc/dots-family/${name}";
      mode = "0644";
    };
  };
in
{
  options.services.dots-family = {
    enable = lib.mkEnableOption "DOTS Family Mode (reference workload)";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package with the programs and units.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc = builtins.listToAttrs (map copied settings);
    systemd.packages = [ cfg.package ];
    systemd.targets.dots-family.wantedBy = [ "multi-user.target" ];
    systemd.timers.dots-family-maintenance.wantedBy = [ "timers.target" ];
    boot.kernel.sysctl."kernel.bpf_stats_enabled" = lib.mkDefault 1;
    users.users = {
      dots-family = {
        isSystemUser = true;
        group = "dots-family";
        home = "/var/lib/dots-family";
      };
      dots-filter = {
        isSystemUser = true;
        group = "dots-filter";
      };
    };
    users.groups = lib.genAttrs [ "dots-family" "dots-filter" "dots-parents" "dots-children" ] (_: { });
  };
}
