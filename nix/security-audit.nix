# The on-machine audit with the checks for this very system: collector, judge and checks are the pipeline's own,
# packed by its Python when this is built.
{ lib, runCommand, makeWrapper, python3, writeTextDir, places }:
let
  store = writeTextDir "nixos.json" (builtins.toJSON places);
  python = python3.withPackages (
    packages: with packages; [ cryptography jinja2 paramiko pydantic pyyaml rich ]
  );
  source = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [ ../harden ../images ../results ../validate ../pyproject.toml ./lib/places.json ];
  };
in
runCommand "dots-family-security-audit" { nativeBuildInputs = [ makeWrapper ]; } ''
  mkdir -p "$out/lib/dots-family" "$out/bin"
  cd ${source}
  PYTHONDONTWRITEBYTECODE=1 ${python}/bin/python -m validate.nix_audit ${store} "$out/lib/dots-family"
  makeWrapper ${python3}/bin/python3 "$out/bin/security-audit" \
    --add-flags "-I $out/lib/dots-family/security-audit.py"
''
