#!/bin/sh
# tools.sh ARCHIVE CACHE: put into ARCHIVE the programs of Debian 12 with which a mini system is
# installed, for amd64: Nix, a shell, and what partitions, encrypts, makes file systems and installs GRUB.
# It is compressed, since Nix copies it into the store.
#
# CACHE keeps the packages, as for prepare.sh, and the archive. It has
#   libexec/PROGRAM    as Debian has it
#   lib/               ld.so and every library that one of them needs
#   lib/grub/          GRUB's modules for BIOS and for UEFI
#   names              a line "NAME PROGRAM" for each name in bin, made by pkgs.nix
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"

die() {
    echo "tools.sh: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: tools.sh ARCHIVE CACHE"
arch=amd64
mkdir -p "$2/tools"
archive=$1
cache=$(cd "$2/tools" && pwd)

wanted="nix-bin bash jq coreutils util-linux mount fdisk e2fsprogs cryptsetup-bin dosfstools zlib1g grub2-common grub-pc-bin grub-efi-amd64-bin"
# shellcheck disable=SC2086 # a list of words
complete=$cache/complete-$(echo $wanted | cksum | cut -d ' ' -f 1)
[ -s "$complete" ] || {
    bookworm_sources main | read_index
    # With all that they depend on, but for alternatives and what is not in the closure of libraries.
    # shellcheck disable=SC2086 # a list of words
    all=$(private_apt apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $wanted |
        grep '^[a-z0-9]' | sort -u | while read -r package; do
        case $package in
        lib* | gcc-*-base) ! private_apt apt-cache show "$package" >/dev/null 2>&1 || echo "$package" ;;
        esac
    done)
    # shellcheck disable=SC2086
    download $wanted $all
}

made=$cache/made-$(cat "$complete" "$here/tools.sh" | cksum | cut -d ' ' -f 1).tar.xz
[ ! -s "$made" ] || {
    cp "$made" "$archive"
    exit
}

unpacked=$(mktemp -d "${TMPDIR:-/tmp}/mini-tools.XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM
for file in "$cache"/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$unpacked" --wildcards --no-wildcards-match-slash \
        --exclude './usr/share/*' --exclude './usr/lib/grub/x86_64-efi/monolithic' --exclude './usr/lib/x86_64-linux-gnu/gconv' 2>/dev/null || true
done

out=$unpacked/tools
mkdir -p "$out/libexec" "$out/lib/grub"

# name NAME FILE: a program, by another name than its file's if that decides what it does.
name() {
    [ -e "$out/libexec/$(basename "$2")" ] || cp -L "$unpacked/$2" "$out/libexec/"
    echo "$1 $(basename "$2")" >>"$out/names"
}
name nix usr/bin/nix
for link in nix-store nix-env nix-build nix-instantiate; do name $link usr/bin/nix; done
name bash bin/bash
name jq usr/bin/jq
for program in mktemp tee realpath stat install cp sync; do
    file=bin/$program
    [ -e "$unpacked/$file" ] || file=usr/$file
    name $program "$file"
done
name mount bin/mount
name umount bin/umount
name mountpoint bin/mountpoint
name unshare usr/bin/unshare
name wipefs sbin/wipefs
name blkid sbin/blkid
name sfdisk sbin/sfdisk
name mkfs.ext4 sbin/mke2fs
name cryptsetup sbin/cryptsetup
name mkfs.vfat sbin/mkfs.fat
name grub-install usr/sbin/grub-install
for target in i386-pc x86_64-efi; do cp -R "$unpacked/usr/lib/grub/$target" "$out/lib/grub/"; done
rm -rf "$out/lib/grub/x86_64-efi/monolithic"

# Libraries by what the programs need, and what these need.
libraries=$unpacked/lib/x86_64-linux-gnu:$unpacked/usr/lib/x86_64-linux-gnu:$unpacked/usr/lib/nix
loader=$unpacked/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
for program in "$out"/libexec/*; do
    "$loader" --library-path "$libraries" --list "$program" >"$unpacked/list" 2>&1 || die "$program: $(cat "$unpacked/list")"
    ! grep 'not found' "$unpacked/list" || die "$program lacks a library"
    sed -n 's/^.* => \(\/[^ ]*\) .*$/\1/p' "$unpacked/list"
done | sort -u | while read -r library; do
    case $library in
    "$unpacked"/*) cp -L "$library" "$out/lib/$(basename "$library")" ;;
    *) die "$library is this machine's own" ;;
    esac
done
cp -L "$loader" "$out/lib/ld.so"
# The standard library loads them by name.
# shellcheck disable=SC2043 # a list that may grow
for library in libnss_files.so.2; do
    [ ! -e "$unpacked/lib/x86_64-linux-gnu/$library" ] || cp -L "$unpacked/lib/x86_64-linux-gnu/$library" "$out/lib/"
done
mkdir "$out/share"
cp "$unpacked/etc/mke2fs.conf" "$out/share/"
chmod -R u+w "$out"
rm -f "$cache"/made-*
tar -C "$out" --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner -c . | xz -6 >"$made.new"
mv "$made.new" "$made"
cp "$made" "$archive"
