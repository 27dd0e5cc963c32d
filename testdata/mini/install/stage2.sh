#!@busybox@/bin/sh
# Second stage of an installed mini system: say what was started, and wait for a login that
# never comes. Where there is a flake in /etc/nixos, evaluate it first, without a network.
export PATH=@tools@/bin:@busybox@/bin LC_ALL=C HOME=/root

say() { echo "MINI-$*"; }

for word in $(cat /proc/cmdline); do
    case $word in
    init=*) system=${word#init=} system=${system%/init} ;;
    esac
done
mount -o remount,rw /
mkdir -p /run /tmp /root /etc
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
export NIX_CONFIG="build-users-group ="
/bin/true 2>/dev/null || ln -sfn @busybox@/bin /bin
ln -sfn "$system" /run/current-system
say "INSTALLED $(sed -n 's/^\([^ ]*\) \/ \([^ ]*\) .*/\1 \2/p' /proc/mounts | tail -n 1)"
[ "$(readlink -f /nix/var/nix/profiles/system)" = "$system" ] && say PROFILE same
nix-store --verify 2>&1 | sed 's/^/MINI-VERIFY /'
if [ -e /etc/nixos/flake.nix ]; then
    found=$(nix --extra-experimental-features 'nix-command flakes' --option substituters '' eval --raw \
        "/etc/nixos#nixosConfigurations.@configuration@.config.system.build.toplevel.outPath" 2>/tmp/eval)
    if [ "$found" = "$system" ]; then say EVALUATED same; else say "EVALUATED $found"; sed 's/^/MINI-EVAL /' /tmp/eval; fi
fi
printf 'mini-target login: '
while :; do sleep 60; done
