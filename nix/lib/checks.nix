# What is wrong with the words given, said at evaluation time with the option and the file that are at fault.
{ policy, file, level, layers, waivers, levels, layerNames, groups }:
let
  prefix = "services.dots-family.hardening";
  known = builtins.attrNames policy.controls;
  unknownWaivers = builtins.filter (id: !(builtins.elem id known)) waivers;
  unknownLayers = builtins.filter (name: !(builtins.elem name layerNames)) (builtins.attrNames layers);
  unknownRoles = builtins.filter (role: !(builtins.hasAttr role policy.product.groups)) (builtins.attrNames groups);
  listed = builtins.concatStringsSep ", ";
in
if (policy.schema or null) != 1 then
  throw "${file}: schema ${builtins.toJSON (policy.schema or null)}, but nix/lib/policy.nix reads schema 1: take both from one commit, or write the file anew (harden/policy.py names the command)"
else if !(builtins.hasAttr level levels) then
  throw "${prefix}.level: no level named \"${level}\"; there are: ${listed (builtins.attrNames levels)}"
else if unknownLayers != [ ] then
  throw "${prefix}.layers: no layer named ${listed unknownLayers}; there are: ${listed layerNames}"
else if unknownWaivers != [ ] then
  throw "${prefix}.waivers: no control named ${listed unknownWaivers} in ${file}; the ids stand under `controls` there"
else if unknownRoles != [ ] then
  throw "${prefix}.groups: no role named ${listed unknownRoles} in ${file}; there are: ${listed (builtins.attrNames policy.product.groups)}"
else
  true
