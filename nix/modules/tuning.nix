# Tuning: stronger than nixpkgs' own defaults, weaker than any plain definition.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  wanted = cfg.result.layers.tuning;
in
{
  config = lib.mkIf cfg.enable {
    boot.kernel.sysctl = lib.mapAttrs (_: place.suggested) wanted.boot.kernel.sysctl;
  };
}
