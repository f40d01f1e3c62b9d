# Modes and owners, kept by systemd-tmpfiles.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.mode;
in
{
  config = lib.mkIf cfg.enable {
    systemd.tmpfiles.rules = wanted.systemd.tmpfiles.rules;
  };
}
