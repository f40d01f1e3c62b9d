# Words on the kernel command line.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.kernel;
in
{
  config = lib.mkIf cfg.enable {
    boot.kernelParams = wanted.boot.kernelParams;
  };
}
