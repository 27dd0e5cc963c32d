#!/bin/sh
# setup.sh SECTION...: install what is missing of the Debian packages that the sections name.
#
#   build   compilers and C libraries of the program
#   test    Nix, QEMU and the tools that judge images
#   wire    a web server and zsync, to measure downloads
#   demo    what building and booting the demonstration image takes
#   dist    what packing releases takes, and what judges them
#   lint    what judges scripts
#
# No section means all of them. With --check nothing is installed: packages that are
# missing are listed, and the exit status says whether there were any.
set -eu

build="gcc libc6-dev pkg-config liblzma-dev libdeflate-dev liblz4-dev"
lint="shellcheck"
demo="nix-bin git ca-certificates debian-archive-keyring qemu-system-x86 ovmf"
test="$demo $lint squashfs-tools squashfs-tools-ng xorriso genisoimage mtools dosfstools exfatprogs gdisk fdisk
    iproute2 libell0 grub-common isolinux syslinux-common grub-efi-amd64-bin grub-pc-bin xz-utils zstd lz4 bzip2 zip openssl file busybox-static cpio dnsmasq-base ipxe-qemu systemd minisign signify-openbsd openssh-client zbar-tools mandoc man-db groff-base bash-completion zsh fish mount xfsprogs e2fsprogs
    util-linux lvm2 dmsetup chromium fonts-dejavu-core qemu-system-arm qemu-efi-aarch64 qemu-user-static ovmf-ia32
    sbsigntool shim-unsigned shim-signed gpgv gnupg cryptsetup-bin"

dist="gcc-aarch64-linux-gnu libc6-dev-arm64-cross git debian-archive-keyring dpkg rpm lintian"

wire="nginx-light zsync curl iproute2 nix-bin git ca-certificates debian-archive-keyring"

die() {
    echo "setup.sh: $*" >&2
    exit 1
}

# installed PACKAGE: whether dpkg has it.
installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# as_root COMMAND...
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing packages needs root or sudo; run as root: $*"
    fi
}

# tools_without_dpkg: the programs of all sections that are not on PATH.
tools_without_dpkg() {
    for tool in gcc pkg-config nix git qemu-system-x86_64 qemu-system-aarch64 qemu-aarch64-static mksquashfs rdsquashfs xorriso isoinfo \
        mtools mkfs.vfat sgdisk sbverify gpgv fdisk grub-script-check xz zstd lz4 zip cpio openssl file minisign signify-openbsd ssh-keygen zbarimg mandoc man groff zsh fish dpkg-deb apt-get shellcheck; do
        command -v "$tool" >/dev/null || echo "$tool"
    done
}

check=
[ "${1-}" != --check ] || {
    check=1
    shift
}
[ $# -gt 0 ] || set -- build test wire demo dist lint

# Elsewhere, as in a shell of Nix, what was installed by other means has to be enough.
if ! [ -e /etc/debian_version ] || ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    missing=$(tools_without_dpkg)
    [ -n "$missing" ] || exit 0
    # shellcheck disable=SC2086 # a list of words
    die "this is no Debian; install by other means:" $missing
fi

missing=
for section in "$@"; do
    case $section in
    build) packages=$build ;;
    test) packages=$test ;;
    wire) packages=$wire ;;
    demo) packages=$demo ;;
    dist) packages=$dist ;;
    lint) packages=$lint ;;
    *) die "no section $section (there are build, test, wire, demo, dist and lint)" ;;
    esac
    for package in $packages; do
        installed "$package" || missing="$missing $package"
    done
done
# shellcheck disable=SC2086 # a list of words
missing=$(printf '%s\n' $missing | sort -u)
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086 # a list of words
[ -z "$check" ] || die "missing:" $missing

# shellcheck disable=SC2086 # a list of words
echo "setup.sh: installing" $missing >&2
as_root apt-get -q update
# shellcheck disable=SC2086 # a list of words
as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
