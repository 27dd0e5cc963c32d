#!/bin/sh
# make-guest.sh DIR CACHE: lay out in DIR the system of the virtual machine in which
# the tests meet devices that the machine they run on may not have.
#
# CACHE is that of testdata/mini/prepare.sh, which has filled it for amd64. DIR receives
#   vmlinuz   Debian's kernel
#   root/     busybox, dmsetup, lvm and losetup with their libraries, and kernel modules
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../modules.sh"

die() {
    echo "make-guest.sh: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: make-guest.sh DIR CACHE"
kernel=$(ls "$2"/amd64/linux-image-*.deb) || die "$2 has no kernel: run testdata/mini/prepare.sh first"
busybox=$(command -v busybox) || die "busybox is missing (package busybox-static)"
rm -rf "$1"
mkdir -p "$1/root/bin" "$1/root/sbin" "$1/root/lib/modules"
out=$(cd "$1" && pwd)
root=$out/root
unpacked=$(mktemp -d "${TMPDIR:-/tmp}/make-guest.XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM

dpkg-deb --fsys-tarfile "$kernel" | tar -x -C "$unpacked" --wildcards './boot/vmlinuz-*' './lib/modules/*'
cp "$unpacked"/boot/vmlinuz-* "$out/vmlinuz"
copy_modules "$unpacked" "$root" "$here/modules.list"
"$busybox" depmod -b "$root" "$version"

cp "$busybox" "$root/bin/busybox"
for program in dmsetup lvm losetup; do
    path=$(command -v "$program" || command -v "/sbin/$program") || die "$program is missing (packages lvm2, dmsetup, mount)"
    cp "$path" "$root/sbin/$program"
    for library in $(ldd "$path" | grep -o '/[^ ]*'); do
        mkdir -p "$root$(dirname "$library")"
        cp -Lu "$library" "$root$library"
    done
done
