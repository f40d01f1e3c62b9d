# The NixOS configuration of the hardening's guide, word for word.
{
  services.dots-family = {
    enable = true;
    # Security hardening automatically applied
  };

  # Additional security options
  security.apparmor.enable = true;
  services.auditd.enable = true;
}
