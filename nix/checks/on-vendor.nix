# The guide's configuration beside the vendor's module, with the names of its groups.
{
  imports = [
    ./vendor.nix
    ./snippet.nix
  ];
  services.dots-family.hardening.groups = {
    parents = "dots-family-parents";
    children = "dots-family-children";
  };
}
