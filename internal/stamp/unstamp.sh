# shellcheck shell=sh
# What was stamped onto this medium before is taken away again, where files are kept: all but what was
# changed since.

kept=/var/lib/livebuild

# block FILE: the lines that were added to it.
block() {
    [ -f "$1" ] && ! [ -L "$1" ] && grep -qx '# stamped by livebuild: end' "$1" || return 0
    cp -p "$1" "$1.livebuild" &&
        sed '/^# stamped by livebuild: begin$/,/^# stamped by livebuild: end$/d' "$1" > "$1.livebuild" &&
        mv "$1.livebuild" "$1"
    [ -s "$1" ] || rm -f "$1"
}

# host_name NAME
host_name() {
    ! [ -L /etc/hostname ] && [ "$(cat /etc/hostname 2>/dev/null)" = "$1" ] || return 0
    rm -f /etc/hostname
    default=$(sed -n 's/^DEFAULT_HOSTNAME="\{0,1\}\([^"]*\).*/\1/p' /etc/os-release)
    echo "${default:-localhost}" > /proc/sys/kernel/hostname
}

# password HASH
password() {
    if [ -e $kept/password ] && [ "$(sed -n 's/^root:\([^:]*\):.*/\1/p' /etc/shadow)" = "$1" ]; then
        echo "root:$(cat $kept/password)" | chpasswd -e
    fi
    rm -f $kept/password
}

# put PATH SHA256
put() {
    if [ -f "$1" ] && ! [ -L "$1" ] && [ "$(sha256sum < "$1")" = "$2  -" ]; then rm -f "$1"; fi
}

# wifi NAME: of iwd, which adds to its files.
wifi() {
    rm -f "/var/lib/iwd/$1.psk"
    block /etc/wpa_supplicant.conf
}

ssh_keys() {
    block /root/.ssh/authorized_keys
    block /etc/ssh/authorized_keys.d/root
}
