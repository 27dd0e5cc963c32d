# shellcheck shell=sh
# Addresses of a system without a service that could be told them.

# by_ip PATTERN ADDRESSES GATEWAYS DNS...: lists are separated by spaces.
by_ip() {
    pattern=$1 addresses=$2 gateways=$3
    shift 3
    tries=0 found=
    while [ -z "$found" ] && [ $tries -lt 60 ]; do
        for link in /sys/class/net/*; do
            name=${link##*/}
            [ "$name" != lo ] || [ "$pattern" = lo ] || continue # no pattern means it
            # shellcheck disable=SC2254 # a pattern, as it says
            case $name in $pattern) found=$name && break ;; esac
        done
        [ -n "$found" ] || sleep 0.5
        tries=$((tries + 1))
    done
    if [ -z "$found" ]; then
        echo "livebuild: no interface $pattern appeared for $addresses"
        return
    fi
    ip link set "$found" up
    for address in $addresses; do ip address replace "$address" dev "$found"; done
    for gateway in $gateways; do ip route replace default via "$gateway" dev "$found"; done
    [ $# -eq 0 ] && return
    if command -v resolvconf > /dev/null; then
        printf 'nameserver %s\n' "$@" | resolvconf -a "$found.livebuild"
    else
        rm -f /etc/resolv.conf
        printf 'nameserver %s\n' "$@" > /etc/resolv.conf
    fi
}
