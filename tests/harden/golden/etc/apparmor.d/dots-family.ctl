# /etc/apparmor.d/dots-family.ctl
# The command line tool, whoever runs it. Written by the dots-family hardening; changes here are lost.
# The unit names the profile too (AppArmorProfile=), so that a process that runs without it cannot come about.

abi <abi/3.0>,

include <tunables/global>

profile dots-family.ctl /usr/bin/dots-family-ctl flags=(attach_disconnected) {
  include <abstractions/base>

  /usr/bin/dots-family-ctl mr,

  # Names of users and groups.
  /etc/{passwd,group,nsswitch.conf,localtime} r,

  # The system bus.
  network unix stream,
  network unix dgram,
  @{run}/dbus/system_bus_socket rw,
  /etc/machine-id r,
  dbus (send, receive) bus=system,

  include <abstractions/consoles>

  # Configuration, and the database for reading only.
  /etc/dots-family/{,**} r,
  /var/lib/dots-family/family.db{,-wal,-shm} r,
  owner @{HOME}/.config/dots-family/{,**} r,

  signal (receive),

  # What nobody may grant by a later change: a denial beats every allowance, and says so in the log.
  # apparmor.ctl.denies-writes: The command line tool changes nothing but through the daemon
  audit deny /var/lib/dots-family/** wkl,
  audit deny /etc/** wkl,
  audit deny /{usr,boot,efi}/** wkl,
  # apparmor.ctl.denies-secrets: The command line tool reads no password hashes
  audit deny /etc/{shadow,gshadow}{,-} rwkl,
  audit deny /etc/ssh/** rwkl,
  # apparmor.ctl.denies-privilege: The command line tool uses no capability and traces nothing
  audit deny capability sys_admin,
  audit deny capability sys_ptrace,
  audit deny capability sys_module,
  audit deny ptrace,
  audit deny mount,
}
