# The policy on the system bus, and who the bus would start the daemon as. Rules of two files for one name add
# up: our reference package leaves its own policy out, and a vendor's package has to do the same.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.dots-family.hardening;
  inherit (cfg.result) texts;
  inherit (builtins.fromJSON (builtins.readFile cfg.policyFile)) product;
  name = product.bus_name;
in
{
  config = lib.mkIf cfg.enable {
    services.dbus.packages =
      lib.optional (texts.bus != null) (
        pkgs.writeTextDir "share/dbus-1/system.d/${name}.conf" texts.bus
      )
      ++ lib.optional (texts.session != "" && cfg.layers.file.enable) (
        pkgs.writeTextDir "share/dbus-1/session.d/${product.bus_session}.conf" texts.session
      )
      ++ lib.optional (texts.activation != "" && cfg.layers.file.enable) (
        pkgs.writeTextDir "share/dbus-1/system-services/${name}.service" texts.activation
      );
  };
}
