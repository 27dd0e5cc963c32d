#!/bin/sh
# Starts the system that lies beside this in place of the one that runs, by kexec. It needs a
# shell, and root; the programs beside it need nothing. SSH keys, addresses and routes
# of this machine are carried over.
#
#     run [--kexec-extra-flags FLAGS] [--kernel-params WORDS]
set -eu

title=@title@
command_line=@command-line@
initrd_size=@initrd-size@ # bytes, as it was unpacked

fail() {
    echo "error: $1" >&2
    [ -z "${2-}" ] || echo "hint: $2" >&2
    exit 1
}

say() { echo "livebuild: $1"; }

extra=
while [ $# -gt 0 ]; do
    case $1 in
    --kexec-extra-flags) extra=${2-}; [ $# -lt 2 ] || shift ;;
    --kernel-params) command_line="$command_line ${2-}"; [ $# -lt 2 ] || shift ;;
    *) fail "there is no option $1" "--kexec-extra-flags FLAGS, --kernel-params WORDS" ;;
    esac
    shift
done

here=$(dirname "$(readlink -f "$0")")
cd "$here"

# --- what would not work

[ "$(id -u)" = 0 ] || fail "only root can start another system in place of this one" "sudo $here/run"
case $(uname -m) in
@machines@) ;;
*) fail "this machine is $(uname -m), and the system is for @platform@" "make an archive of a configuration for it" ;;
esac
tool() { "$here/busybox" "$@"; }
tool true || fail "the programs in $here cannot be run" "is it mounted with noexec? unpack the archive elsewhere"
[ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || true)" != 1 ] ||
    fail "kexec is switched off until this machine starts again: kernel.kexec_load_disabled is 1" "take what sets it out of sysctl.conf(5), and restart"
# The initrd, and what it unpacks to, are in memory at one time.
memory=$(tool sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo) # KiB
[ "${memory:-0}" = 0 ] || [ "$memory" -ge $((initrd_size * 2 / 1024)) ] ||
    fail "this machine has $((memory / 1024)) MiB of memory, and the system takes more than $((initrd_size * 2 / 1048576)) MiB while it starts" "a smaller system, or a stronger --compression"

# --- what is carried over

umask 077
carried=$(tool mktemp -d "$here/carried.XXXXXX")
trap 'tool rm -rf "$carried"' EXIT
# Where the system finds it (livebuild-kexec.service), and where nixos-images' one does.
ours=$carried/.initrd-secrets/run/livebuild/kexec
tool mkdir -p "$ours" "$carried/ssh"

# keys FILE: those of authorized_keys. Clouds keep root out by a command that says so.
keys() {
    [ ! -r "$1" ] || tool sed -E '/^[[:space:]]*(#|$)/d; /Please login as/s/^.* ((ssh|ecdsa|sk)-[^ ]+ AAAA.*)$/\1/' "$1" >>"$ours/authorized_keys"
}
home_of() { { getent passwd "$1" 2>/dev/null || tool grep "^$1:" /etc/passwd || true; } | tool cut -d : -f 6; }
: >"$ours/authorized_keys"
for user in root "${SUDO_USER:-${DOAS_USER-}}"; do
    [ -n "$user" ] || continue
    home=$(home_of "$user")
    keys "${home:-/root}/.ssh/authorized_keys"
    keys "${home:-/root}/.ssh/authorized_keys2"
    keys "/etc/ssh/authorized_keys.d/$user"
done
if [ -s "$ours/authorized_keys" ]; then
    tool sort -u "$ours/authorized_keys" >"$carried/ssh/authorized_keys"
    tool cp "$carried/ssh/authorized_keys" "$ours/authorized_keys"
fi
for key in /etc/ssh/ssh_host_*; do
    [ ! -f "$key" ] || tool cp "$key" "$carried/ssh/"
    [ ! -f "$key" ] || tool cp "$key" "$ours/"
done

# systemd takes the identity of the machine from there before anything else (systemd(1)).
if [ -f /etc/machine-id ]; then
    tool cp /etc/machine-id "$carried/machine-id"
    id=$(cat /etc/machine-id)
    case $id in
    *[!0-9a-f]*) ;;
    ????????????????????????????????) command_line="$command_line systemd.machine_id=$id" ;;
    esac
fi

# addresses FAMILY NAME: lines "address ADDR/PREFIX", "lease ADDR" and "route ADDR/PREFIX - -" of a peer.
addresses() {
    "$ip" -o "-$1" address show dev "$2" scope global | tool awk -v v="$1" '{
        for (i = 1; i <= NF; i++) if ($i == "inet" || $i == "inet6") break
        own = $(i + 1); peer = $(i + 2) == "peer" ? $(i + 3) : ""
        rest = " " $0 " "; sub(/\\.*/, " ", rest)
        if (rest ~ / (tentative|dadfailed|temporary|deprecated|mngtmpaddr) /) next
        if (rest ~ / dynamic /) { if (v == 4) { sub("/.*", "", own); print "lease " own }; next }
        if (own !~ "/") own = own (v == 4 ? "/32" : "/128")
        print "address " own
        if (peer != "") print "route " peer (peer ~ "/" ? "" : v == 4 ? "/32" : "/128") " - -"
    }'
}

# routes FAMILY NAME: lines "route DESTINATION/PREFIX GATEWAY FLAG", with - for none. What the kernel, DHCP
# and routers tell comes by itself.
routes() {
    "$ip" "-$1" route show dev "$2" | tool awk -v v="$1" '
        $1 ~ /^(unreachable|blackhole|prohibit|throw|local|broadcast|multicast|anycast|nexthop)$/ { next }
        {
            gateway = flag = "-"; skip = 0
            for (i = 2; i <= NF; i++) {
                if ($i == "via") gateway = $(i + 1) == "inet6" ? $(i + 2) : $(i + 1)
                if ($i == "proto" && $(i + 1) ~ /^(kernel|dhcp|ra|redirect)$/) skip = 1
                if ($i == "onlink") flag = "onlink"
            }
            if ($1 == "default") $1 = v == 4 ? "0.0.0.0/0" : "::/0"
            if ($1 !~ "/") $1 = $1 (v == 4 ? "/32" : "/128")
            if (!skip) print "route", $1, gateway, flag
        }'
}

# Servers for names, but for those on this machine that ask others.
name_servers() {
    for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
        [ -r "$file" ] || continue
        tool awk '$1 == "nameserver" && $2 !~ /^127\./ && $2 != "::1" && $2 !~ /%/ { print "dns", $2 }' "$file"
        return
    done
}

# network: for each interface "link MAC", and what it has. Those that share an address of Ethernet, as
# a bridge and its port, are one.
network() {
    for link in /sys/class/net/*; do
        name=${link##*/}
        if [ "$(cat "$link/type" 2>/dev/null)" != 1 ] || [ -e "/proc/net/vlan/$name" ]; then continue; fi
        for family in 4 6; do
            addresses $family "$name"
            routes $family "$name"
        done | tool sed "s/^/$(cat "$link/address") /"
    done | tool sort -s -k 1,1 | tool awk '$1 != mac { mac = $1; print "link", mac } { sub(/^[^ ]+ /, ""); print }'
    name_servers
}

if [ -x "$here/ip" ]; then ip=$here/ip; else ip=$(command -v ip || true); fi
if [ -n "$ip" ]; then
    network >"$ours/network"
    # As nixos-images' module restore-network reads them.
    "$ip" --json address >"$carried/addrs.json" 2>/dev/null || tool rm -f "$carried/addrs.json"
    for family in 4 6; do
        "$ip" "-$family" --json route >"$carried/routes-v$family.json" 2>/dev/null || tool rm -f "$carried/routes-v$family.json"
    done
else
    say "warning: addresses and routes are not carried over: there is no command ip"
fi

say "$title: carrying $(tool grep -c . "$ours/authorized_keys" || true) SSH keys over"

# What a run before this one has put behind the initrd goes.
tool chmod 600 initrd
tool truncate -s $initrd_size initrd
for more in restore.cpio stamp.cpio; do
    [ ! -e $more ] || cat $more >>initrd || fail "writing to $here/initrd" "is its disk full?"
done
(cd "$carried" && tool find . | tool cpio -o -H newc 2>/dev/null) >>initrd || fail "writing to $here/initrd" "is its disk full?"

# --- the start

load() {
    # shellcheck disable=SC2086 # several flags
    "$here/kexec" --load "$here/bzImage" "$@" $extra --initrd="$here/initrd" --no-checks --command-line "$command_line"
}
# The one system call fails on old kernels, the other one where Secure Boot is on
# (nix-community/nixos-anywhere#264).
release=$(uname -r)
minor=${release#*.}
minor=${minor%%[!0-9]*}
if [ "${release%%.*}" -gt 6 ] || [ "${release%%.*}" -eq 6 ] && [ "${minor:-0}" -ge 1 ]; then
    load --kexec-syscall-auto || load --kexec-syscall || status=$?
else
    load --kexec-syscall || load --kexec-syscall-auto || status=$?
fi
if [ "${status-0}" != 0 ]; then
    tool dmesg | tool tail -n 20 >&2
    case $(cat /sys/kernel/security/lockdown 2>/dev/null) in
    *'[integrity]'* | *'[confidentiality]'*)
        fail "the kernel of this machine is locked down, as it is where Secure Boot is on: it starts no kernel that nobody signed" "switch Secure Boot off, or start a medium: 'livebuild iso --secure-boot-key'" ;;
    esac
    [ -e /proc/sys/kernel/kexec_load_disabled ] || fail "the kernel of this machine was built without kexec" "start a medium: 'livebuild iso'"
    fail "kexec could not load the system; above is what it says, and the kernel" "containers cannot: run this on the machine itself"
fi

# nixos-anywhere waits for this line.
echo "machine will boot into nixos in 6s..."
if [ -w /dev/kmsg ]; then exec >/dev/kmsg 2>&1; else exec >/dev/null 2>&1; fi
(
    trap '' HUP
    exec </dev/null
    sleep 6
    # shellcheck disable=SC2086
    exec "$here/kexec" -e $extra
) &
