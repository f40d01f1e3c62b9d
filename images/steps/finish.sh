#!/bin/sh
# Runs with the new root file system as `/`: configures it as a machine and takes away what no two builds share.
set -eu

tar --extract --file=/tmp/overlay.tar --directory=/ --numeric-owner --same-owner --preserve-permissions --overwrite
systemctl -q enable systemd-networkd.service ssh.service ssh-host-key.service
systemctl -q disable systemd-networkd-wait-online.service 2>/dev/null || true
# Its timer installs updates; what would stay in memory all day only waits for a shutdown.
systemctl -q disable unattended-upgrades.service 2>/dev/null || true

# AppArmor's own package brings a hundred profiles for programs that are not here, and compiling them takes a minute of
# every emulated boot. A link in disable/ is Debian's way to leave one out; what the workload brings is not touched.
if test -d /etc/apparmor.d; then
    mkdir -p /etc/apparmor.d/disable
    dpkg-query -L apparmor | sed -n 's#^/etc/apparmor.d/\([^/]*\)$#\1#p' | while read -r profile; do
        test "$profile" != unix-chkpwd || continue # pam's helper is here
        test ! -f "/etc/apparmor.d/$profile" || ln -sf "/etc/apparmor.d/$profile" "/etc/apparmor.d/disable/$profile"
    done
fi

# No keys, no identity.
rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /var/lib/dbus/machine-id /var/lib/systemd/random-seed
: >/etc/machine-id
chmod 444 /etc/machine-id
# No password: what is neither locked nor disabled is disabled; the day of the last change is the build's.
day=$((SOURCE_DATE_EPOCH / 86400))
awk -F: -v OFS=: -v day="$day" '{ if ($2 !~ /^[*!]+$/) $2 = "!*"; $3 = day; print }' /etc/shadow >/etc/shadow.new
cat /etc/shadow.new >/etc/shadow
rm -f /etc/shadow.new /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock

# Leavings of the installation.
rm -rf /var/lib/apt/lists /var/cache/apt /var/cache/debconf /var/cache/ldconfig /var/tmp /root/.cache
rm -f /usr/sbin/policy-rc.d /etc/apt/apt.conf.d/99build /etc/resolv.conf
rm -f /var/lib/dpkg/*-old /var/lib/apt/extended_states
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/cache/debconf /var/cache/ldconfig /var/tmp
chown _apt:root /var/lib/apt/lists/partial /var/cache/apt/archives/partial
chmod 700 /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/cache/ldconfig
chmod 1777 /var/tmp
find /var/log -type f -delete
