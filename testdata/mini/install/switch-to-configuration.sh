#!@bash@/bin/bash
# switch-to-configuration boot: makes the disk start this system, by BIOS and UEFI, as
# boot.loader.grub of nixpkgs does.
set -e
export PATH=@tools@/bin:@busybox@/bin
[ "$1" = boot ] && [ -e /etc/NIXOS ] || exit 1
common=(--boot-directory=/boot --locales= --themes= --fonts= --recheck)
# shellcheck disable=SC2043 # several words, or none, when it is installed
for device in @devices@; do
    grub-install --target=i386-pc --directory=@tools@/lib/grub/i386-pc "${common[@]}" "$device"
done
grub-install --target=x86_64-efi --directory=@tools@/lib/grub/x86_64-efi "${common[@]}" \
    --efi-directory=/boot --removable --no-nvram
mkdir -p /boot/kernels
cp @kernel@ /boot/kernels/linux
cp @initrd@ /boot/kernels/initrd
cat >/boot/grub/grub.cfg <<END
set timeout=1
search --set=drive1 --file /kernels/linux
menuentry "Mini" {
  linux (\$drive1)/kernels/linux init=@system@/init @params@
  initrd (\$drive1)/kernels/initrd
}
END
