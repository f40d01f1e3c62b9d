# The SSH server, where the machine has one.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  place = import ../lib/place.nix { inherit lib; };
  wanted = cfg.result.layers.sshd;
in
{
  config = lib.mkIf cfg.enable {
    services.openssh.settings = wanted.services.openssh.settings;
  };
}
