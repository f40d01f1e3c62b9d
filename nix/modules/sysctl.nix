# Security settings of the kernel; a plain definition elsewhere is a conflict that evaluation reports.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.sysctl;
in
{
  config = lib.mkIf cfg.enable {
    boot.kernel.sysctl = wanted.boot.kernel.sysctl;
  };
}
