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
# Builders have a terminal of their own, and no sandbox: this kernel is given no modules for it.
[ -c /dev/ptmx ] || mknod -m 666 /dev/ptmx c 5 2
mkdir -p /dev/pts
mount -t devpts -o gid=0,mode=620,ptmxmode=666 devpts /dev/pts
export NIX_CONFIG="build-users-group =
sandbox = false"
/bin/true 2>/dev/null || ln -sfn @busybox@/bin /bin
ln -sfn "$system" /run/current-system
say "INSTALLED $(sed -n 's/^\([^ ]*\) \/ \([^ ]*\) .*/\1 \2/p' /proc/mounts | tail -n 1)"
[ "$(readlink -f /nix/var/nix/profiles/system)" = "$system" ] && say PROFILE same
nix-store --verify 2>&1 | sed 's/^/MINI-VERIFY /'
if [ -e /etc/nixos/flake.nix ]; then
    # As the README there has it, and with the disk that was chosen in the place of the flake's own.
    rebuild=$(sed -n "s/^ *nixos-rebuild switch --flake '\(.*\)'/\1/p" /etc/nixos/README)
    nix --extra-experimental-features 'nix-command flakes' --option substituters '' eval --impure --raw --expr "
        let
          flakes = builtins.getFlake \"${rebuild%#*}\";
          own = flakes.nixosConfigurations.\"${rebuild#*#}\";
          chosen = own.extendModules {
            modules = [ ({ lib, ... }: { boot.loader.grub.devices = lib.mkOverride 10 [ \"/dev/disk/livebuild/main\" ]; }) ];
          };
          path = c: builtins.unsafeDiscardStringContext c.config.system.build.toplevel.outPath;
        in
        path own + \" \" + path chosen
    " >/tmp/found 2>/tmp/eval || sed 's/^/MINI-EVAL /' /tmp/eval
    read -r own chosen </tmp/found
    say "EVALUATED ${own:-nothing}"
    if [ "$chosen" = "$system" ]; then say "EVALUATED-PLACEHOLDER same"; else say "EVALUATED-PLACEHOLDER $chosen"; fi
    # Another host name: what would be built, and then what was.
    changed="
        let
          own = (builtins.getFlake \"${rebuild%#*}\").nixosConfigurations.\"${rebuild#*#}\";
        in
        (own.extendModules {
          modules = [ ({ lib, ... }: { networking.hostName = lib.mkForce \"changed\"; }) ];
        }).config.system.build.toplevel
    "
    drv=$(nix --extra-experimental-features 'nix-command flakes' --option substituters '' eval --impure --raw --expr "($changed).drvPath" 2>/tmp/eval) ||
        sed 's/^/MINI-EVAL /' /tmp/eval
    nix-store --option substituters '' --realise --dry-run "$drv" 2>&1 | sed -n 's|^  /nix/store/[a-z0-9]*-|MINI-BUILDS |p'
    rebuilt=$(nix-store --option substituters '' --realise "$drv" 2>/tmp/build) || sed 's/^/MINI-EVAL /' /tmp/build
    say "REBUILT $(cat "$rebuilt/etc/hostname")"
fi
printf 'mini-target login: '
while :; do sleep 60; done
