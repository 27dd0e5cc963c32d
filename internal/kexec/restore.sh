# shellcheck shell=sh
# What a system that was replaced by kexec has left to this one: SSH keys, addresses and
# routes, before networks and servers are started.

here=/run/livebuild/kexec

say() { echo "livebuild: $*"; }

has_unit() { [ -e "/etc/systemd/system/$1" ]; }

# host_keys: those of the SSH server, so that who knew the machine knows it still.
host_keys() {
    mkdir -p /etc/ssh
    for key in "$here"/ssh_host_*; do
        [ -f "$key" ] || continue
        name=/etc/ssh/${key##*/}
        [ ! -L "$name" ] || continue # of the configuration
        rm -f "$name"
        cat "$key" > "$name"
        case $name in *.pub) chmod 644 "$name" ;; *) chmod 600 "$name" ;; esac
    done
}

# ssh_keys: what root may be let in with. Configurations may look in one place only.
ssh_keys() {
    [ -s "$here/authorized_keys" ] || return 0
    # shellcheck disable=SC2174 # /root is there
    mkdir -p -m 700 /root/.ssh
    cat "$here/authorized_keys" >> /root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
    mkdir -p /etc/ssh/authorized_keys.d
    # It may be a link into the store.
    cat /etc/ssh/authorized_keys.d/root "$here/authorized_keys" > "$here/keys" 2>/dev/null
    rm -f /etc/ssh/authorized_keys.d/root
    cat "$here/keys" > /etc/ssh/authorized_keys.d/root
    chmod 644 /etc/ssh/authorized_keys.d/root
    for unit in sshd.socket sshd.service; do
        if has_unit $unit; then
            systemctl --no-block start $unit
            break
        fi
    done
    say "root is let in with $(grep -c . "$here/authorized_keys") SSH keys"
}

# take_link: the lines of a link, which begin behind the one that names it.
take_link() {
    addresses= leases= routes=
    while IFS=' ' read -r word one two three; do
        case $word in
        address) addresses="$addresses $one" ;;
        lease) leases="$leases $one" ;;
        route) routes="$routes $one,$two,$three" ;;
        esac
    done <<END
$1
END
    [ -n "$addresses$leases$routes" ] || return 0
    number=$((number + 1))
    if has_unit NetworkManager.service; then
        [ -z "$addresses$routes" ] || by_network_manager
    elif has_unit systemd-networkd.service; then
        by_networkd
    elif [ -n "$addresses$routes" ]; then
        echo "by_ip '$mac' '$addresses' '$routes' $servers" >> "$here/by-ip"
    fi
}

is_v6() { case $1 in *:*) return 0 ;; esac; return 1; }

by_networkd() {
    mkdir -p /run/systemd/network
    {
        echo "[Match]"
        echo "MACAddress=$mac"
        echo "[Network]"
        echo "DHCP=yes"
        echo "IPv6AcceptRA=yes"
        for address in $addresses; do echo "Address=$address"; done
        [ -z "$addresses" ] || for server in $servers; do echo "DNS=$server"; done
        for route in $routes; do
            IFS=, read -r to via flag <<END
$route
END
            printf '[Route]\nDestination=%s\n' "$to"
            if [ "$via" != - ]; then echo "Gateway=$via"; elif ! is_v6 "$to"; then echo "Scope=link"; fi
            [ "$flag" != onlink ] || echo "GatewayOnLink=yes"
        done
        for lease in $leases; do
            echo "[DHCPv4]"
            echo "RequestAddress=$lease"
            break
        done
    } > "/run/systemd/network/05-livebuild-kexec-$number.network"
}

# What is known of a family is all of it, unless it had a lease, or routers told more.
by_network_manager() {
    mkdir -p /run/NetworkManager/system-connections
    chmod 700 /run/NetworkManager/system-connections
    {
        printf '[connection]\nid=livebuild-kexec-%s\ntype=ethernet\nautoconnect-priority=900\n[ethernet]\nmac-address=%s\n' "$number" "$mac"
        for family in 4 6; do
            echo "[ipv$family]"
            count=0 known= default=
            for address in $addresses; do
                if is_v6 "$address"; then [ $family = 6 ] || continue; else [ $family = 4 ] || continue; fi
                count=$((count + 1))
                known=1
                echo "address$count=$address"
            done
            count=0
            for route in $routes; do
                IFS=, read -r to via flag <<END
$route
END
                if is_v6 "$to"; then [ $family = 6 ] || continue; else [ $family = 4 ] || continue; fi
                [ "$to" != ::/0 ] || default=1
                count=$((count + 1))
                if [ "$via" = - ]; then echo "route$count=$to"; else echo "route$count=$to,$via"; fi
                [ "$flag" != onlink ] || echo "route${count}_options=onlink=true"
            done
            list=
            for server in $servers; do
                if is_v6 "$server"; then [ $family = 6 ] || continue; else [ $family = 4 ] || continue; fi
                list="$list$server;"
            done
            [ -z "$list" ] || [ -z "$known" ] || echo "dns=$list"
            method=auto
            if [ -n "$known" ] && { [ $family = 4 ] && [ -z "$leases" ] || [ $family = 6 ] && [ -n "$default" ]; }; then method=manual; fi
            echo "method=$method"
        done
    } > "$here/connection"
    (umask 077 && cat "$here/connection" > "/run/NetworkManager/system-connections/livebuild-kexec-$number.nmconnection")
}

# network: nixos-images' module for the same does it itself.
network() {
    [ -s "$here/network" ] || return 0
    ! has_unit restore-network.service || return 0
    servers=$(sed -n 's/^dns //p' "$here/network" | tr '\n' ' ')
    number=0
    for mac in $(sed -n 's/^link //p' "$here/network"); do
        take_link "$(sed -n "/^link $mac\$/,/^link /{/^link /d;p;}" "$here/network")"
    done
    say "$number interfaces have the addresses that they had before"
}

host_keys
ssh_keys
network
