# Settings that are not in an evaluated configuration as the policy wants them: paths of options, of builtins alone.
# A list or a text of several lines may hold more than ours; anything else has to be equal.
let
  concat = builtins.concatStringsSep ".";
  holds =
    wanted: found:
    if builtins.isList wanted && builtins.isList found then
      builtins.all (one: builtins.elem one found) wanted
    else if builtins.isString wanted && builtins.isString found && wanted != found then
      wanted != "" && builtins.replaceStrings [ wanted ] [ "" ] found != found
    else
      wanted == found;
  lost =
    path: wanted: found:
    if builtins.isAttrs wanted then
      builtins.concatMap (
        name:
        if builtins.isAttrs found && builtins.hasAttr name found then
          lost (path ++ [ name ]) wanted.${name} found.${name}
        else
          [ (concat (path ++ [ name ])) ]
      ) (builtins.attrNames wanted)
    else if holds wanted found then
      [ ]
    else
      [ (concat path) ];
in
layers: config: builtins.concatMap (name: lost [ ] layers.${name} config) (builtins.attrNames layers)
