# AppArmor profiles, attached to where the programs lie in the store.
{ policy, places, text, active, inForce, closures, ... }:
let
  # A denial of shells or of writing to the system's folders holds for the store as well.
  alsoForStore =
    line:
    let
      shell = builtins.match "( *audit deny )/\\{,usr/}bin/\\{sh,.*} (x,)" line;
      write = builtins.match "( *audit deny )/\\{usr,boot,efi[^}]*}/[*][*] (wkl,)" line;
    in
    [ line ]
    ++ (if shell == null then [ ] else [ "${builtins.head shell}${places.shells} ${builtins.elemAt shell 1}" ])
    ++ (if write == null then [ ] else [ "${builtins.head write}${places.store} ${builtins.elemAt write 1}" ]);

  # The libraries that the program is linked to: each lies in a folder of its own.
  withClosure =
    key: line:
    [ line ]
    ++ (if builtins.hasAttr key closures && line == "  include <abstractions/base>" then [ "  include \"${closures.${key}}\"" ] else [ ]);

  lines = key: segment: builtins.concatMap alsoForStore (builtins.concatMap (withClosure key) segment.lines);

  profile = _name: described: {
    # Who waives that a profile is enforced still gets it, in a mode that only complains.
    state = if described.enforced_by == null || inForce described.enforced_by then "enforce" else "complain";
    profile = text.joined (
      map (segment: segment // { lines = lines described.key segment; }) (active described.segments)
    );
  };
in
{
  security.apparmor.policies = builtins.mapAttrs profile policy.apparmor;
}
