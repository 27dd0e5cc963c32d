# shellcheck shell=sh
# Addresses of a system without a service that could be told them.

# by_ip MAC ADDRESSES ROUTES SERVERS...: lists are separated by spaces, parts of a route by commas.
by_ip() {
    mac=$1 addresses=$2 routes=$3
    shift 3
    tries=0 found=
    while [ -z "$found" ] && [ $tries -lt 60 ]; do
        for link in /sys/class/net/*; do
            if [ "$(cat "$link/address" 2>/dev/null)" = "$mac" ]; then found=${link##*/} && break; fi
        done
        [ -n "$found" ] || sleep 0.5
        tries=$((tries + 1))
    done
    if [ -z "$found" ]; then
        echo "livebuild: no interface $mac appeared for$addresses"
        return
    fi
    ip link set "$found" up
    for address in $addresses; do ip address replace "$address" dev "$found"; done
    for route in $routes; do
        IFS=, read -r to via flag <<END
$route
END
        [ "$flag" = onlink ] || flag=
        case $to,$via in
        *,-) via= ;;
        *:*,*) via="via $via" ;;
        *,*:*) via="via inet6 $via" ;;
        *) via="via $via" ;;
        esac
        # shellcheck disable=SC2086 # some words, or none
        ip route replace "$to" $via dev "$found" $flag
    done
    [ -n "$addresses" ] && [ $# -gt 0 ] || return 0
    if command -v resolvconf > /dev/null; then
        printf 'nameserver %s\n' "$@" | resolvconf -a "$found.livebuild"
    else
        rm -f /etc/resolv.conf
        printf 'nameserver %s\n' "$@" > /etc/resolv.conf
    fi
}

# shellcheck source=/dev/null # restore.sh writes it
. /run/livebuild/kexec/by-ip
