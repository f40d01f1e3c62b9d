# The journal: a drop-in, so that options of nixpkgs for it stay free for the user.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.journal;
in
{
  config = lib.mkIf cfg.enable {
    environment.etc = wanted.environment.etc or { };
  };
}
