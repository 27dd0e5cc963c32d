#!@bash@/bin/bash
# nixos-enter: runs a command in an installed system, with the devices of this one.
set -e
export PATH=@tools@/bin:@busybox@/bin:$PATH
if [ -z "$NIXOS_ENTER_REEXEC" ]; then
    export NIXOS_ENTER_REEXEC=1
    exec unshare --fork --mount --uts --pid -- "$0" "$@"
fi
mount --make-rprivate /
root=/mnt
while [ $# -gt 0 ]; do
    case $1 in
    --root) root=$2; shift 2 ;;
    --silent) shift ;;
    --) shift; break ;;
    esac
done
mkdir -p "$root/dev" "$root/sys" "$root/proc" "$root/run" "$root/tmp"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
chroot "$root" /nix/var/nix/profiles/system/activate
exec chroot "$root" "$@"
