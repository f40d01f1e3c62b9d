#!/bin/sh
# Inside namespaces (images/namespace.py): installs the operating system and packs it, not yet cleaned, as base.tar.
# Arguments: suite, packages by comma. /tmp/job: sources, apt.conf, initramfs.conf, initramfs.modules, excluded-paths
# (given), base.tar (given empty, filled here), packages/, packages.list (made here). /tmp/packages: .deb files of
# earlier builds.
# TREE: the folder to unpack into, in memory where there is enough.
set -eu
suite=$1 packages=$2 root=$TREE

cd /tmp/job
mmdebstrap --mode=root --variant=apt --format=directory \
    --skip=check/empty,cleanup/apt,download/empty,essential/unlink \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --aptopt=/tmp/job/apt.conf \
    --dpkgopt='force-unsafe-io' \
    --setup-hook='mkdir -p "$1/var/cache/apt/archives" "$1/etc/dpkg/dpkg.cfg.d"' \
    --setup-hook='cp /tmp/job/excluded-paths "$1/etc/dpkg/dpkg.cfg.d/"' \
    --setup-hook='find /tmp/packages -name "*.deb" -exec cp -t "$1/var/cache/apt/archives" {} +' \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
    --essential-hook='cp /tmp/job/initramfs.conf "$1/etc/initramfs-tools/conf.d/dots-family.conf"' \
    --essential-hook='cp /tmp/job/initramfs.modules "$1/etc/initramfs-tools/modules"' \
    --include="$packages" "$suite" "$root" - </tmp/job/sources

mkdir packages
find "$root/var/cache/apt/archives" -name '*.deb' -exec cp -t packages {} +
chmod -R a+rX packages
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -f "$root"/var/cache/apt/archives/*.deb
# What is essential has been unpacked by tar, which does not ask dpkg's settings.
for folder in man info locale; do
    if test -d "$root/usr/share/$folder"; then find "$root/usr/share/$folder" -mindepth 1 -delete; fi
done
find "$root/usr/share/doc" -mindepth 2 ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >packages.list
tar --create --directory="$root" --sort=name --numeric-owner --xattrs --xattrs-include='*' --one-file-system \
    --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./run/*' --exclude='./tmp/*' . >base.tar
rm -rf "$root"
