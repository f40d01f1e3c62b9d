#!/bin/sh
# Inside namespaces (images/namespace.py): base.tar + workload + configuration = the root file system of `baseline`.
# Argument: MiB of room to leave. /tmp/base/base.tar, and in /tmp/job: workload/*.deb, apt.conf, overlay.tar,
# finish.sh, mke2fs.conf (given), root.ext4 (given empty, filled here), boot/, packages/, packages.list (made here).
set -eu
room=$1 root=$TREE

cd /tmp/job
mkdir "$root" boot packages
tar --extract --file=/tmp/base/base.tar --directory="$root" --numeric-owner --same-owner --preserve-permissions \
    --xattrs --xattrs-include='*'

# What the workload depends on is fetched while everything in the tree is still Debian's own, signatures verified;
# after that, with the network gone and the host's files out of sight, the workload's own scripts run.
mkdir "$root/tmp/workload"
cp workload/*.deb "$root/tmp/workload/"
cp finish.sh "$root/tmp/finish.sh"
cp apt.conf "$root/etc/apt/apt.conf.d/99build"
cp overlay.tar "$root/tmp/overlay.tar"
cat >"$root/usr/sbin/policy-rc.d" <<'POLICY'
#!/bin/sh
exit 101
POLICY
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true

cat >enter.sh <<'ENTER'
set -eu
cd "$TREE"
mount --bind . .
cd "$TREE"
for node in null zero full random urandom; do
    : >dev/$node
    mount --bind /dev/$node dev/$node
done
mount -t proc proc proc || mount --rbind /proc proc
mkdir -p run
mount -t tmpfs tmpfs run
pivot_root . mnt
cd /
umount -l /mnt
exec "$@"
ENTER
# The host's apt fetches, as the tree's may lack what the mirror's scheme needs; it takes no other setting of the host's.
cat >fetch.conf <<CONF
Dir "$root";
Dir::Etc::Parts "/tmp/job/boot";
APT::Architecture "amd64";
APT::Install-Recommends "false";
Debug::NoLocking "true";
CONF
cat apt.conf >>fetch.conf
APT_CONFIG=/tmp/job/fetch.conf apt-get -q -y --download-only install "$root"/tmp/workload/*.deb
find "$root/var/cache/apt/archives" -name '*.deb' -exec cp -t packages {} +
chmod -R a+rX packages
unshare --mount --net --uts sh enter.sh sh -eu -c '
    apt-get -qq -y -o APT::Install-Recommends=false -o Dpkg::Options::=--force-unsafe-io \
        -o Dpkg::Options::=--force-confnew -o Dpkg::Use-Pty=0 install /tmp/workload/*.deb
    sh /tmp/finish.sh'
unshare --mount --net sh enter.sh dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >packages.list
cd "$root"
rm -rf dev tmp run
mkdir dev tmp run
chmod 1777 tmp
find . -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# A package may have put a link in the place of a boot file: links are not followed.
for file in boot/vmlinuz-* boot/initrd.img-* usr/lib/systemd/boot/efi/systemd-bootx64.efi; do
    if test -f "$file" && test ! -L "$file"; then cp "$file" /tmp/job/boot/; fi
done
cd /tmp/job
chmod -R a+rX boot

blocks=$(find "$root" -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) + 1 } END { print n + int(n / 16) }')
size=$((blocks / 256 + room))
MKE2FS_CONFIG=/tmp/job/mke2fs.conf E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -F -t ext4 -d "$root" -L root -m 0 \
    -U "$ROOT_UUID" -E "hash_seed=$ROOT_UUID,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0" root.ext4 "${size}M"
rm -rf "$root"
