#!/bin/sh
# make-tree.sh DIR CACHE MINICACHE: lay out in DIR a system with systemd and udev, of Debian 13,
# which stands in for both stages of a NixOS with systemd in the first one.
#
# DIR receives
#   tree/      the system: systemd 257, udev, kmod, util-linux, dash, bash, coreutils,
#              e2fsprogs, cryptsetup
#   modules/   lib/modules of the mini flake's kernel, what boots and file systems need
#   networks/  a system with NetworkManager and wpa_supplicant, to run their parsers in
#   module.nix the NixOS module that makes a system of the mini flake one of these
# Neither root nor debootstrap is needed: packages are unpacked, and no script of theirs is run.
# MINICACHE is that of testdata/mini/prepare.sh, which has filled it for amd64.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

die() {
    echo "make-tree.sh: $*" >&2
    exit 1
}

[ $# -eq 3 ] || die "usage: make-tree.sh DIR CACHE MINICACHE"
mkdir -p "$1" "$2"
dir=$(cd "$1" && pwd) cache=$(cd "$2" && pwd) arch=amd64
kernel=$(ls "$3"/amd64/linux-image-*.deb) || die "$3 has no kernel: run testdata/mini/prepare.sh first"
busybox=$(command -v busybox) || die "busybox is missing (package busybox-static)"
. "$here/../debian.sh"
. "$here/../modules.sh"

packages="systemd systemd-sysv udev kmod util-linux mount bash dash coreutils sed grep findutils base-passwd login.defs e2fsprogs cryptsetup-bin"
networks="network-manager wpasupplicant"

# fetch FOLDER PACKAGE...: packages, and all that they need, into a folder of $cache.
fetch() {
    to=$cache/$1
    shift
    ! [ -e "$to/complete" ] || [ "$(cat "$to/complete")" != "$*" ] || return 0
    rm -rf "$to"
    mkdir -p "$to/partial"
    sibling_sources trixie | read_index
    private_apt apt-get install -y --no-install-recommends --download-only -o Dir::Cache::archives="$to" "$@" >/dev/null
    echo "$*" >"$to/complete"
}

# unpack FOLDER TREE: base-files first, which has the links of the root.
unpack() {
    rm -rf "$2"
    mkdir -p "$2"
    for package in "$cache/$1"/base-files_*.deb "$cache/$1"/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --no-same-owner --keep-directory-symlink
    done
}
# shellcheck disable=SC2086 # lists of words
fetch packages $packages
# shellcheck disable=SC2086
fetch networks $networks
unpack packages "$dir/tree"
unpack networks "$dir/networks"
rm -rf "$dir/modules"
mkdir -p "$dir/modules"
cd "$dir/tree"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/bash-completion usr/share/zsh \
    usr/share/lintian usr/share/bug usr/share/perl5 usr/share/debconf usr/share/pam* usr/share/i18n \
    usr/lib/*-linux-gnu/gconv usr/lib/*-linux-gnu/perl-base usr/lib/udev/hwdb.d usr/share/polkit-1 \
    usr/lib/systemd/catalog usr/lib/systemd/boot var/cache/* usr/share/common-licenses
rm -f usr/lib/systemd/system/*.target.wants/ldconfig.service usr/lib/systemd/system/ldconfig.service
# What scripts of the packages would have made.
ln -sf dash usr/bin/sh
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
printf 'root:*:19000::::::\n' >etc/shadow
for group in systemd-journal input sgx clock kvm render messagebus; do
    grep -q "^$group:" etc/group || echo "$group:x:$((900 + $(wc -l <etc/group))):" >>etc/group
done
for user in systemd-network systemd-resolve systemd-timesync messagebus; do
    id=$((900 + $(wc -l <etc/passwd)))
    echo "$user:x:$id:$id::/:/usr/sbin/nologin" >>etc/passwd
    echo "$user:x:$id:" >>etc/group
done
find . -type d -exec chmod u+rwx {} +
find . \( -type b -o -type c \) -delete
find . -perm /6000 -exec chmod ug-s {} +

unpacked=$(mktemp -d "${TMPDIR:-/tmp}/make-tree.XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM
dpkg-deb --fsys-tarfile "$kernel" | tar -x -C "$unpacked" --wildcards './lib/modules/*'
copy_modules "$unpacked" "$dir/modules" "$here/../mini/modules.list" "$here/../mini/asked.list" "$here/modules.list"
"$busybox" depmod -b "$dir/modules" "$version"
cp "$here/module.nix" "$dir/module.nix"
