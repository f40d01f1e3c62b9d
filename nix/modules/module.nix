# Kernel modules that never load, not even on demand.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.module;
in
{
  config = lib.mkIf cfg.enable {
    boot.extraModprobeConfig = wanted.boot.extraModprobeConfig;
  };
}
