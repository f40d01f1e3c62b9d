# Sandboxes: ours replaces what the vendor's unit says; mkForce replaces ours.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  wanted = cfg.result.layers.unit;
in
{
  config = lib.mkIf cfg.enable {
    systemd.services = lib.mapAttrs (_: place.units) (wanted.systemd.services or { });
  };
}
