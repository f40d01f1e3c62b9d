# Accounts of the product and the groups of both roles, closed for login.
{ policy, groups, ... }:
let
  byName = name: make: list: builtins.listToAttrs (map (one: { name = one.${name}; value = make one; }) list);
  account = one: {
    isSystemUser = true;
    inherit (one) group home;
  };
in
{
  users.users = byName "user" account policy.product.accounts;
  users.groups =
    byName "group" (_: { }) policy.product.accounts
    // builtins.listToAttrs (
      map (name: { inherit name; value = { }; }) (builtins.attrValues groups)
    );
}
