# How strongly our values stand. nixpkgs: 1000 is mkDefault, 100 a plain definition, 50 mkForce.
{ lib }:
rec {
  # Beats what a vendor's module defines plainly, and gives way to mkForce.
  ours = lib.mkOverride 90;
  # Beats mkDefault, and gives way to any plain definition.
  suggested = lib.mkOverride 900;
  units = unit: {
    serviceConfig = lib.mapAttrs (_: ours) unit.serviceConfig;
    unitConfig = lib.mapAttrs (_: ours) unit.unitConfig;
  };
}
