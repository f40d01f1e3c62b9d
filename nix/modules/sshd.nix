# The SSH server, where the machine has one.
{ config, lib, ... }:
let
  cfg = config.services.dots-family.hardening;
  wanted = cfg.result.layers.sshd;
in
{
  config = lib.mkIf cfg.enable {
    services.openssh.settings = wanted.services.openssh.settings;
  };
}
