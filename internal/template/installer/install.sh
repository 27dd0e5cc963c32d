# install-example DISK: delete what a disk holds, and install the system there.
# The flake that it is made of is in its /etc/nixos then.
set -euo pipefail

if [ $# -ne 1 ] || [ ! -b "$1" ]; then
    echo "usage: install-example DISK" >&2
    lsblk --nodeps --output NAME,SIZE,MODEL,TRAN >&2
    exit 2
fi
[ "$(id -u)" -eq 0 ] || {
    echo "install-example: run it with sudo" >&2
    exit 1
}
disk=$1
lsblk "$disk"
read -r -p "All of this will be deleted. Type $disk to go on: " answer
[ "$answer" = "$disk" ] || {
    echo "install-example: nothing was done" >&2
    exit 1
}

# The labels are those of host.nix.
wipefs --all --quiet "$disk"
sfdisk --quiet "$disk" <<END
label: gpt
name=ESP, size=1GiB, type=uefi
name=nixos, type=linux
END
udevadm settle
mkfs.fat -F 32 -n boot /dev/disk/by-partlabel/ESP
mkfs.ext4 -q -L nixos /dev/disk/by-partlabel/nixos
udevadm settle
mount /dev/disk/by-label/nixos /mnt
mount --mkdir /dev/disk/by-label/boot /mnt/boot

mkdir -p /mnt/etc/nixos
cp -r --no-preserve=mode "$flake"/. /mnt/etc/nixos/
nixos-install --root /mnt --system "$system" --no-channel-copy
umount --recursive /mnt
echo "The system is installed. Take the medium out, and reboot."
