# The reference workload as a service, and the hardening on top of it. With the vendor's own flake, import that
# and ./hardening.nix instead.
{
  imports = [
    ./reference.nix
    ./hardening.nix
  ];
}
