#!/bin/sh
# prepare.sh ARCH DIR CACHE: lay out in DIR what the mini flake takes from Debian 12.
#
# ARCH is amd64 or arm64, whatever the machine this runs on. CACHE keeps the
# downloaded packages: once it is filled, no network is needed and a run takes a few
# seconds. Its kernel modules are not compressed, its busybox has depmod. The mirror is
# explained in ../debian.sh.
#
# DIR receives
#   bin/busybox        the static shell and builder
#   boot/              vmlinuz, the kernel, and config-V, its configuration
#   lib/modules/V/     the modules named in modules.list and asked.list, and what they depend on
#   grub/              bin/grub-mkimage, its shared libraries in libexec, the modules, the fonts
#   e2fsprogs/         mke2fs and e2fsck, with their shared libraries
#   syslinux/          isolinux.bin, isohdpfx.bin and the .c32 modules (amd64 only)
#   kexec/             kexec, its dynamic linker and its libraries (amd64 only)
#   dtbs/              device trees of three boards and of QEMU's (arm64 only, needs QEMU)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"
. "$here/../modules.sh"

die() {
    echo "prepare.sh: $*" >&2
    exit 1
}

# member PACKAGE PATTERN...: unpack the members that match from PACKAGE into $unpacked.
member() {
    for file in "$cache/$1"_*.deb; do
        shift
        dpkg-deb --fsys-tarfile "$file" | tar -x -C "$unpacked" --wildcards "$@"
        return
    done
}

[ $# -eq 3 ] || die "usage: prepare.sh amd64|arm64 DIR CACHE"
arch=$1
case $arch in
amd64) loader=lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 target=x86_64-efi ;;
arm64) loader=lib/aarch64-linux-gnu/ld-linux-aarch64.so.1 target=arm64-efi ;;
*) die "$arch: not amd64 or arm64" ;;
esac
mkdir -p "$2" "$3/$arch"
out=$(cd "$2" && pwd)
cache=$(cd "$3/$arch" && pwd)

packages="busybox-static grub-efi-$arch-bin grub-common
    libc6 liblzma5 libdevmapper1.02.1 libselinux1 libudev1 libpcre2-8-0
    e2fsprogs libext2fs2 libcom-err2 libblkid1 libuuid1"
case $arch in
amd64)
    # kexec asks Xen, if that is there.
    xen="libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxentoolcore1 libxentoollog1"
    packages="$packages isolinux syslinux-common grub-efi-ia32-bin kexec-tools $xen"
    ;;
arm64) command -v qemu-system-aarch64 >/dev/null || die "qemu-system-aarch64 is missing (package qemu-system-arm)" ;;
esac

# A changed package list is another cache.
# shellcheck disable=SC2086 # a list of words
complete=$cache/complete-$(echo $packages | cksum | cut -d ' ' -f 1)
# shellcheck disable=SC2086 # a list of words
[ -s "$complete" ] || {
    bookworm_sources main | read_index
    kernel=$(kernel_package)
    download "$kernel" $packages
}

unpacked=$(mktemp -d "${TMPDIR:-/tmp}/mini-prepare.XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM

rm -rf "$out"
mkdir -p "$out/bin" "$out/boot" "$out/grub/bin" "$out/grub/lib/grub" "$out/grub/libexec" "$out/grub/share/grub"

member busybox-static './bin/busybox'
cp "$unpacked/bin/busybox" "$out/bin/busybox"

# The unpacked modules take 400 MB, of which 2 % are needed.
kernel=$(sed -n 's/^\.\/\(linux-image-[^_]*\)_.*/\1/p' "$complete")
member "$kernel" './boot/vmlinuz-*' './boot/config-*' './lib/modules/*'
cp "$unpacked"/boot/vmlinuz-* "$out/boot/vmlinuz"
cp "$unpacked"/boot/config-* "$out/boot/"
copy_modules "$unpacked" "$out" "$here/modules.list" "$here/asked.list"

member grub-common './usr/bin/grub-mkimage' './usr/share/grub/*.pf2'
cp "$unpacked/usr/bin/grub-mkimage" "$out/grub/bin/grub-mkimage"
cp "$unpacked"/usr/share/grub/*.pf2 "$out/grub/share/grub/"
member "grub-efi-$arch-bin" "./usr/lib/grub/$target/*"
cp -R "$unpacked/usr/lib/grub/$target" "$out/grub/lib/grub/$target"
rm -rf "$out/grub/lib/grub/$target/monolithic"
if [ "$arch" = amd64 ]; then
    member grub-efi-ia32-bin "./usr/lib/grub/i386-efi/*"
    cp -R "$unpacked/usr/lib/grub/i386-efi" "$out/grub/lib/grub/i386-efi"
    rm -rf "$out/grub/lib/grub/i386-efi/monolithic"
fi
member libc6 "./$loader" '*/libc.so.6' '*/libm.so.6'
for package in liblzma5 libdevmapper1.02.1 libselinux1 libudev1 libpcre2-8-0; do
    member "$package" '*.so.*'
done
cp "$unpacked/$loader" "$out/grub/libexec/ld.so"
for library in libc.so.6 libm.so.6 liblzma.so.5 libdevmapper.so.1.02.1 libselinux.so.1 libudev.so.1 libpcre2-8.so.0; do
    cp -L "$(find "$unpacked" -name "$library")" "$out/grub/libexec/$library"
done

mkdir -p "$out/e2fsprogs"
member e2fsprogs './sbin/mke2fs' './sbin/e2fsck'
for package in libext2fs2 libcom-err2 libblkid1 libuuid1; do
    member "$package" '*.so.*'
done
cp "$unpacked"/sbin/mke2fs "$unpacked"/sbin/e2fsck "$out/grub/libexec/ld.so" "$out/grub/libexec/libc.so.6" "$out/e2fsprogs/"
for library in libext2fs.so.2 libe2p.so.2 libcom_err.so.2 libblkid.so.1 libuuid.so.1; do
    cp -L "$(find "$unpacked" -name "$library")" "$out/e2fsprogs/$library"
done

if [ "$arch" = amd64 ]; then
    mkdir -p "$out/kexec"
    member kexec-tools './sbin/kexec'
    for package in $xen; do
        member "$package" '*.so.*'
    done
    cp "$unpacked/sbin/kexec" "$out/kexec/kexec"
    cp "$unpacked/$loader" "$out/kexec/ld.so"
    for library in libc.so.6 $(cd "$unpacked" && find . -name 'libxen*.so.*' -printf '%f\n' | sort -u); do
        cp -L "$(find "$unpacked" -name "$library" | head -n 1)" "$out/kexec/$library"
    done

    mkdir -p "$out/syslinux"
    member isolinux './usr/lib/ISOLINUX/isolinux.bin' './usr/lib/ISOLINUX/isohdpfx.bin'
    member syslinux-common './usr/lib/syslinux/modules/bios/*.c32'
    cp "$unpacked"/usr/lib/ISOLINUX/*.bin "$unpacked"/usr/lib/syslinux/modules/bios/*.c32 "$out/syslinux/"
fi

if [ "$arch" = arm64 ]; then
    for dtb in broadcom/bcm2711-rpi-4-b freescale/fsl-lx2160a-honeycomb rockchip/rk3399-rockpro64; do
        member "$kernel" "*/$dtb.dtb"
        mkdir -p "$out/dtbs/${dtb%/*}"
        cp "$unpacked/usr/lib/linux-image-$version/$dtb.dtb" "$out/dtbs/$dtb.dtb"
    done
    mkdir -p "$out/dtbs/qemu"
    # With firmware, any file, the machine has other devices than without.
    qemu-system-aarch64 -machine "virt,dtb-randomness=off,dumpdtb=$out/dtbs/qemu/virt.dtb" -cpu cortex-a72 -m 1024 \
        -bios "$out/bin/busybox" -display none -nic none 2>/dev/null
    [ -s "$out/dtbs/qemu/virt.dtb" ] || die "QEMU wrote no device tree"
fi
