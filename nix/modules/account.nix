# Accounts and groups; where the vendor makes them, the vendor wins.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.account;
in
{
  config = lib.mkIf cfg.enable {
    users.users = lib.mapAttrs (_: lib.mapAttrs (_: lib.mkDefault)) (wanted.users.users or { });
    users.groups = wanted.users.groups or { };
  };
}
