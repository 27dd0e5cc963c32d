#!/bin/busybox sh
# First stage of the mini live system: find the medium by its volume label, mount its
# store image, or the one that the initrd has, and hand over to the program that init= names.
export PATH=/bin

say() {
    echo "MINI-$*"
}

fail() {
    say "FAIL stage-1: $*"
    sleep 1
    poweroff -f
}

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o mode=0755 tmpfs /run
exec </dev/console >/dev/console 2>&1

# What the kernel asks for modules, as nixpkgs' stage 1 sets it: ciphers come by no other way.
echo /bin/modprobe >/proc/sys/kernel/modprobe

say STAGE1
say "CMDLINE $(cat /proc/cmdline)"
if [ -d /sys/firmware/efi ]; then
    say FIRMWARE efi
else
    say FIRMWARE bios-or-none
fi

if [ -d /proc/device-tree ]; then
    say "DEVICETREE $(tr '\0' ' ' 2>/dev/null </proc/device-tree/compatible)"
fi

# What an initrd behind this one brings, as nixpkgs' stage 1 takes it.
if [ -d /.initrd-secrets ]; then
    (cd /.initrd-secrets && find . -type f) | while read -r secret; do
        mkdir -p "$(dirname "/$secret")"
        cp "/.initrd-secrets/$secret" "/$secret"
    done
fi

label= init= copytoram= disk=
for word in $(cat /proc/cmdline); do
    case $word in
    root=LABEL=*) label=${word#root=LABEL=} ;;
    init=*) init=${word#init=} ;;
    copytoram) copytoram=1 ;;
    mini.disk) disk=1 ;;
    esac
done
[ -e /store-file ] || [ -n "$label" ] || fail "no root=LABEL= on the command line"
[ -n "$init" ] || fail "no init= on the command line"

while read -r module; do
    modprobe -q "$module"
done </modules.list

if [ ! -e /store-file ]; then
    # USB devices appear some time after their controller's driver.
    device=
    tries=0
    until device=$(findfs "LABEL=$label" 2>/dev/null) && [ -n "$device" ]; do
        tries=$((tries + 1))
        [ $tries -le 150 ] || fail "no medium labelled $label"
        sleep 0.2
    done
    say "MEDIUM $device"
    ln -s "$device" /dev/root
fi

# boot.initrd.postDeviceCommands, which may replace the root and the medium as in nixpkgs.
persistence= persistence_opt=
waitDevice() { [ -e "$1" ]; }
# shellcheck source=/dev/null # of the configuration
[ ! -s /post-device ] || . /post-device

root=/mnt-root
mkdir -p $root
if [ -n "$disk" ]; then
    mount -t ext4 "$device" $root || fail "mounting $device"
    mkdir -p $root/proc $root/sys $root/dev $root/run $root/tmp
    for point in proc sys dev run; do mount --move /$point $root/$point; done
    exec switch_root $root "$init"
fi
if [ -n "$persistence" ]; then
    mount -t ext4 -o "$persistence_opt" "$persistence" $root || fail "mounting $persistence"
else
    mount -t tmpfs -o mode=0755 tmpfs $root || fail "mounting the root"
fi
mkdir -p $root/iso $root/nix/.ro-store $root/nix/.rw-store $root/nix/store \
    $root/proc $root/sys $root/dev $root/run $root/tmp

if [ -e /store-file ]; then
    store=$root/$(cat /store-file)
    say "MEDIUM none"
    [ -e "$store" ] || fail "there is no $store"
else
    device=$(readlink -f /dev/root)

    # A stick may also be a FAT file system with the medium's files copied to it.
    if [ -n "$copytoram" ]; then
        mkdir -p /tmp-iso
        mount -r -t iso9660 "$device" /tmp-iso || mount -r -t vfat "$device" /tmp-iso || fail "mounting $device"
        cp -R /tmp-iso/* $root/iso/ || fail "copying $device to memory"
        umount /tmp-iso
    else
        mount -r -t iso9660 "$device" $root/iso || mount -r -t vfat "$device" $root/iso || fail "mounting $device"
    fi
    store=$root/iso/nix-store.squashfs
fi

mount -r -t squashfs -o loop "$store" $root/nix/.ro-store || fail "mounting $store"
mount -t tmpfs -o mode=0755 tmpfs $root/nix/.rw-store
mkdir -p $root/nix/.rw-store/store $root/nix/.rw-store/work
mount -t overlay -o "lowerdir=$root/nix/.ro-store,upperdir=$root/nix/.rw-store/store,workdir=$root/nix/.rw-store/work" \
    overlay $root/nix/store || fail "mounting the overlay"

# boot.initrd.postMountCommands
# shellcheck source=/dev/null # of the configuration
[ ! -s /post-mount ] || . /post-mount

[ -L "$root$init" ] || [ -x "$root$init" ] || fail "$init is not in the store image"
echo /sbin/modprobe >/proc/sys/kernel/modprobe
mount --move /proc $root/proc
mount --move /sys $root/sys
mount --move /dev $root/dev
mount --move /run $root/run
exec switch_root $root "$init"
