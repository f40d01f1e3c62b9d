# Stand-ins for packages: a name and a path in the store, and nothing that could be built.
{ lib, nixpkgs }:
let
  package = name: {
    type = "derivation";
    outPath = "/nix/store/stand-in-${name}";
    inherit name;
  };
  names = [ "audit" "coreutils" "findutils" "gnugrep" "gnused" "nftables" "openssh" "python3" "shadow" "systemd" ];
  formats = nixpkgs + "/pkgs/pkgs-lib/formats.nix";
  inherit (lib) types;
  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path ]);
  pkgs = lib.genAttrs names package // {
    inherit lib;
    callPackage = _file: _arguments: package "dots-family";
    apparmorRulesFromClosure = { name }: _packages: "/nix/store/stand-in-${name}-rules";
    writeTextDir = path: _text: package (baseNameOf path);
    writeText = name: _text: package name;
    # The types of settings are nixpkgs' own where the tree has them.
    formats =
      if builtins.pathExists formats then
        import formats { inherit lib pkgs; }
      else
        {
          keyValue = _: { type = types.attrsOf atom; };
          ini = _: { type = types.attrsOf (types.attrsOf atom); };
          json = _: { type = types.anything; };
        };
  };
in
pkgs
