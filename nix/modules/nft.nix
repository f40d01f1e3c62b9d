# Packet filter for children's accounts.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.nft;
in
{
  config = lib.mkIf (cfg.enable && cfg.layers.nft.enable) {
    environment.etc = wanted.environment.etc;
    systemd.services = lib.mapAttrs (_: one: one // { path = [ pkgs.nftables ]; }) wanted.systemd.services;
    systemd.paths = wanted.systemd.paths;
  };
}
