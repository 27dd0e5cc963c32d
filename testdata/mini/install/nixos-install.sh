#!@bash@/bin/bash
# nixos-install, as far as livebuild-install uses that of nixpkgs: the closure comes from the
# store of the live system, and the boot loader is installed by the new system, in itself.
set -e
export PATH=@tools@/bin:@busybox@/bin:$PATH
umask 0022
root=/mnt system= flags=()
while [ $# -gt 0 ]; do
    case $1 in
    --root) root=$2; shift 2 ;;
    --system) system=$2; shift 2 ;;
    --option) flags+=("$1" "$2" "$3"); shift 3 ;;
    --no-channel-copy | --no-root-passwd) shift ;;
    *) echo "nixos-install: unknown option $1"; exit 1 ;;
    esac
done
nix-env --store "$root" "${flags[@]}" --extra-substituters 'auto?trusted=1' \
    -p "$root/nix/var/nix/profiles/system" --set "$system"
mkdir -p "$root/etc"
touch "$root/etc/NIXOS"
echo "installing the boot loader..."
NIXOS_INSTALL_BOOTLOADER=1 @out@/bin/nixos-enter --root "$root" -- /run/current-system/bin/switch-to-configuration boot
echo "installation finished!"
