# Names of the layers that have something to place on NixOS.
[
  "account"
  "apparmor"
  "audit"
  "bus"
  "file"
  "journal"
  "kernel"
  "mode"
  "module"
  "nft"
  "sshd"
  "sysctl"
  "tuning"
  "unit"
]
