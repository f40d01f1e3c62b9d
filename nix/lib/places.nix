# Where NixOS keeps what Debian keeps elsewhere. Each entry is a difference on purpose, with its reason in
# ../differences.yaml; the parity test refuses one that is not explained there.

{
  # Watched paths: the kernel refuses a watch whose parent folder does not exist.
  watches = {
    "/usr/bin/pkexec" = "/run/wrappers/bin/pkexec";
    "/usr/bin/su" = "/run/wrappers/bin/su";
    "/usr/bin/sudo" = "/run/wrappers/bin/sudo";
    "/usr/lib/systemd/system" = "/nix/var/nix/profiles";
    "/usr/share/dbus-1" = "/nix/var/nix/profiles";
  };

  # The stock kernel of nixpkgs is built without module signatures and without the lockdown module.
  parametersWithoutEffect = [
    "lockdown=integrity"
    "module.sig_enforce=1"
  ];

  # Links into the store: nobody can write there, and a link has no mode of its own.
  linkedFiles = [
    "/etc/ssh/sshd_config"
    "/etc/sudoers"
  ];

  # Folders that a unit of nixpkgs makes at every start, closed further than we would.
  keptByUnits = [ "/var/log/audit" ];

  # Interpreters lie in the store as well, and programs are written there by the Nix daemon alone.
  shells = "/nix/store/*/bin/{sh,bash,dash,perl*,python3*}";
  store = "/nix/**";
}
