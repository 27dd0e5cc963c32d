# shellcheck shell=sh
# What was stamped onto this medium is applied, by the shell of the live system, before
# networks and servers are started.

here=/run/livebuild/stamp

# Where files are kept, this takes the place of what was stamped before; and it is taken away in its turn.
kept=/var/lib/livebuild
[ ! -e $kept/unstamp ] || sh $kept/unstamp
# shellcheck disable=SC2174 # /var/lib is there
mkdir -p -m 700 $kept
cat $here/unstamp > $kept/unstamp

say() { echo "livebuild: $*"; }

has_unit() { [ -e "/etc/systemd/system/$1" ]; }

# host_name NAME: /etc/hostname is a link into the store.
host_name() {
    rm -f /etc/hostname
    echo "$1" > /etc/hostname
    echo "$1" > /proc/sys/kernel/hostname
    say "this host is $1"
}

# append FILE MORE: adds lines to a file, between others by which they are found again.
append() {
    [ ! -s "$1" ] || [ -z "$(tail -c 1 "$1")" ] || echo >> "$1"
    { echo '# stamped by livebuild: begin' && cat "$2" && echo '# stamped by livebuild: end'; } >> "$1"
}

# ssh_keys FILE: what root may be let in with. Configurations may look in one place only.
ssh_keys() {
    # shellcheck disable=SC2174 # /root is there
    mkdir -p -m 700 /root/.ssh
    append /root/.ssh/authorized_keys "$1"
    chmod 600 /root/.ssh/authorized_keys
    mkdir -p /etc/ssh/authorized_keys.d
    cat "$1" > "$here/keys"
    if [ -L /etc/ssh/authorized_keys.d/root ]; then # into the store
        cat /etc/ssh/authorized_keys.d/root "$1" > "$here/keys"
        rm -f /etc/ssh/authorized_keys.d/root
    fi
    append /etc/ssh/authorized_keys.d/root "$here/keys"
    chmod 644 /etc/ssh/authorized_keys.d/root
    for unit in sshd.socket sshd.service; do
        if has_unit $unit; then
            systemctl --no-block start $unit
            break
        fi
    done
    say "root is let in with $(grep -c . "$1") SSH keys"
}

# password HASH
password() {
    (umask 077 && sed -n 's/^root:\([^:]*\):.*/\1/p' /etc/shadow > $kept/password)
    echo "root:$1" | chpasswd -e && say "root has a password"
}

# put FILE MODE PATH
put() {
    mkdir -p "$(dirname "$3")"
    rm -f "$3"
    cat "$1" > "$3" && chmod "$2" "$3" && say "put $3"
}

# connection FILE NAME: of NetworkManager, which takes no file that others may read.
connection() {
    mkdir -p /run/NetworkManager/system-connections
    chmod 700 /run/NetworkManager/system-connections
    (umask 077 && cat "$1" > "/run/NetworkManager/system-connections/livebuild-$2.nmconnection")
}

# interface NUMBER NAME: its addresses, by what manages the networks of this system.
interface() {
    if has_unit NetworkManager.service; then
        connection "$here/interface-$1.nmconnection" "interface-$1"
    elif has_unit systemd-networkd.service; then
        mkdir -p /run/systemd/network
        cat "$here/interface-$1.network" > "/run/systemd/network/05-livebuild-$1.network"
    else
        : > $here/by-ip # has livebuild-stamp-address.service do it
    fi
    say "$2 has addresses that were stamped"
}

# wifi NUMBER SSID NAME: by what knows wireless networks; NAME is that of iwd's file.
wifi() {
    if has_unit NetworkManager.service; then
        connection "$here/wifi-$1.nmconnection" "wifi-$1"
    elif has_unit iwd.service; then
        # shellcheck disable=SC2174 # /var/lib is there
        mkdir -p -m 700 /var/lib/iwd
        (umask 077 && cat "$here/wifi-$1.psk" > "/var/lib/iwd/$3.psk")
    else
        (umask 077 && append /etc/wpa_supplicant.conf "$here/wifi-$1.conf")
        systemctl --no-block start wpa_supplicant.service
    fi
    say "knows the wireless network $2"
}
