# Where NixOS keeps what Debian keeps elsewhere; the judge reads the same list. Each entry is a difference on purpose,
# with its reason in ../differences.yaml; the parity test refuses one that is not explained there.
#
#   watches                  watched paths: the kernel refuses a watch whose parent folder does not exist
#   parametersWithoutEffect  the stock kernel of nixpkgs has neither module signatures nor the lockdown module
#   sysctlsWithoutEffect     parameters that only Debian's kernel has
#   modesOfOthers            a link into the store has no mode of its own, and auditd's unit makes its own folder
#   shells, store            interpreters lie in the store too, and programs are written there by the Nix daemon alone
builtins.fromJSON (builtins.readFile ./places.json)
