# shellcheck shell=bash
# livebuild-install: install a system that this medium has whole, without a network.
#
# What there is to install stands in /iso/livebuild/install.json; format 1 is described by
# the type Target of livebuild's package nixos. Nothing is written before all is checked.
set -euo pipefail
umask 022

catalog=/iso/livebuild/install.json
links=/dev/disk/livebuild

usage() {
    cat <<'END'
usage: livebuild-install [NAME] [options]

Installs one of the systems of this medium on this machine, without a network.
Asks for what is not given; nothing is written before all is checked.

  --list              say which systems there are, and what they need
  --disk DEVICE       install on this disk and delete what it holds; if the system
                      has several, --disk NAME=DEVICE once for each
  --no-format         mount what is on the disks already, instead of making it
  --root DIR          install into what is mounted there (default: /mnt), if the
                      layout of the system's disks is not known
  --yes NAME          do not ask whether this one is to be installed
  --dry-run           check everything, say what would be done, and stop
  --extra-file SRC:DEST
                      copy a file that the installed system needs, as a key
  --root-password-hash FILE
                      give root the password with this hash ('mkpasswd' makes one)
END
}

say() { printf '%s\n' "livebuild-install: $*"; }
fail() {
    printf '%s\n' "livebuild-install: error: $1" >&2
    [ $# -lt 2 ] || printf '%s\n' "livebuild-install: hint: $2" >&2
    exit 1
}
bad_usage() { fail "$1" "livebuild-install --help says what there is"; }

human() { # BYTES
    if [ "$1" -lt 1000000 ]; then echo "$((($1 + 999) / 1000)) kB"
    elif [ "$1" -lt 1000000000 ]; then echo "$((($1 + 99999) / 1000000)).$((($1 + 99999) / 100000 % 10)) MB"
    else echo "$((($1 + 9999999) / 1000000000)).$((($1 + 9999999) / 100000000 % 10)) GB"
    fi
}

# has LINE: whether it is one of those on the standard input, which is read whole: a 'grep -q' that
# ends before it has others die of SIGPIPE, and the pipe fail.
has() {
    local line status=1
    while IFS= read -r line; do
        [ "$line" != "$1" ] || status=0
    done
    return $status
}

# --- what the medium has

get() { jq -r --arg name "$name" ".targets[] | select(.name == \$name) | $1" "$catalog"; } # FILTER
names() { jq -r '.targets[].name' "$catalog"; }

list() {
    jq -r '.targets[] | "\(.name)\t\(.distroName) \(.label), host \(if .hostName == "" then "?" else .hostName end), for \(.platform)"' "$catalog" |
        while IFS=$'\t' read -r one about; do
            printf '  %-16s %s\n' "$one" "$about"
        done
}

# --- disks, as the kernel tells of them (Linux, Documentation/ABI/stable/sysfs-block)

sys=/sys/class/block

# disk_name DEVICE: the kernel's name of a block device.
kernel_name() { basename "$(readlink -f "$1")"; }
is_partition() { [ -e "$sys/$1/partition" ]; }
parent_of() { basename "$(dirname "$(readlink -f "$sys/$1")")"; }
size_of() { echo $(($(cat "$sys/$1/size") * 512)); }

# disks_below NAME: the whole disks that a block device lies on, itself if it is one.
disks_below() {
    local slave found=
    if is_partition "$1"; then
        disks_below "$(parent_of "$1")"
        return
    fi
    for slave in "$sys/$1/slaves"/*; do
        [ -e "$slave" ] || continue
        found=1
        disks_below "$(basename "$slave")"
    done
    # A loop device is a disk, and lies where its file does.
    if [ -e "$sys/$1/loop/backing_file" ]; then
        disks_of_file "$(cat "$sys/$1/loop/backing_file")"
    fi
    [ -n "$found" ] || echo "$1"
}

# name_of_number MAJ:MIN: the kernel's name.
name_of_number() {
    local link
    link=$(readlink -f "/sys/dev/block/$1" 2>/dev/null) && [ -e "$link" ] && basename "$link"
}

# disks_of_file PATH: those that a file lies on, if it lies on disks.
disks_of_file() {
    local number name
    [ -e "$1" ] || return 0
    number=$(stat -c '%d' "$1")
    # As in glibc's gnu_dev_major and gnu_dev_minor.
    name=$(name_of_number "$(((number >> 8) & 0xfff)):$(((number & 0xff) | ((number >> 12) & 0xfff00)))") || return 0
    disks_below "$name"
}

# in_use: the disks that have something mounted, or are swapped to, or belong to others,
# a line "DISK REASON" each.
in_use() {
    local number point source swap device holder disk
    while read -r _ _ number _ point _ rest; do
        source=${rest#*- } source=${source#* } source=${source%% *}
        if ! device=$(name_of_number "$number"); then
            [ -b "$source" ] || continue
            device=$(kernel_name "$source") # btrfs has numbers of its own
        fi
        for disk in $(disks_below "$device"); do
            echo "$disk is mounted at $point"
        done
    done </proc/self/mountinfo
    while read -r swap _; do
        [ -b "$swap" ] || continue
        for disk in $(disks_below "$(kernel_name "$swap")"); do
            echo "$disk is swapped to"
        done
    done </proc/swaps
    for holder in "$sys"/*/holders/*; do
        [ -e "$holder" ] || continue
        device=$(basename "$(dirname "$(dirname "$holder")")")
        for disk in $(disks_below "$device"); do
            echo "$disk is part of $(basename "$holder")"
        done
    done
}

# medium_disks: those that this system runs from.
medium_disks() {
    disks_of_file /iso
    disks_of_file "$(readlink -f /nix/.ro-store)"
}

# why_not DEVICE: why a system cannot be installed there; nothing if it can.
why_not() {
    local disk used
    [ -e "$1" ] || { echo "does not exist"; return; }
    [ -b "$1" ] || { echo "is no disk"; return; }
    disk=$(kernel_name "$1")
    [ -e "$sys/$disk" ] || { echo "is no disk of this machine"; return; }
    if is_partition "$disk"; then echo "is a partition, and not a whole disk"; return; fi
    if medium_disks | has "$disk"; then echo "is the medium that this system runs from"; return; fi
    used=$(in_use | grep "^$disk is " | head -n 1) || true
    if [ -n "$used" ]; then echo "${used#"$disk" }"; return; fi
    [ "$(cat "$sys/$disk/ro")" = 0 ] || { echo "cannot be written to"; return; }
    [ "$(size_of "$disk")" -ge "$disk_bytes" ] ||
        echo "has $(human "$(size_of "$disk")"), and the system needs $(human "$disk_bytes")"
}

# about DISK: what a person knows it by.
about() {
    local part line
    line=$(human "$(size_of "$1")")
    for file in device/vendor device/model serial device/serial; do
        [ ! -r "$sys/$1/$file" ] || line="$line $(tr -s ' ' <"$sys/$1/$file" | sed 's/^ //; s/ $//')"
    done
    printf '%s\n' "$line" | tr -d '\000-\010\013-\037\177'
    for part in "$sys/$1/$1"*; do
        [ -e "$part/partition" ] || continue
        line="    $(basename "$part") $(human "$(size_of "$(basename "$part")")")"
        line="$line $(sed -n 's/^PARTNAME=//p' "$part/uevent")"
        line="$line $(blkid -o value -s LABEL "/dev/$(basename "$part")" 2>/dev/null | head -n 1 || true)"
        line="$line $(blkid -o value -s TYPE "/dev/$(basename "$part")" 2>/dev/null | head -n 1 || true)"
        printf '%s\n' "$line" | tr -d '\000-\010\013-\037\177'
    done
}

# candidates: the disks of this machine that a system can be installed on.
candidates() {
    local entry disk
    for entry in "$sys"/*; do
        disk=$(basename "$entry")
        case $disk in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd* | mtdblock*) continue ;; esac
        [ -z "$(why_not "/dev/$disk")" ] && echo "$disk"
    done
    return 0
}

# part_of DISK NUMBER: the kernel's name of a partition.
part_of() {
    case $1 in
    *[0-9]) echo "$1p$2" ;;
    *) echo "$1$2" ;;
    esac
}

# --- asking

answer=
ask() { # QUESTION
    printf '%s ' "$1"
    IFS= read -r answer || fail "nobody answers" "give what is asked for as options; livebuild-install --help lists them"
}

choose_system() {
    local all number
    mapfile -t all < <(names)
    if [ ${#all[@]} -eq 1 ]; then
        name=${all[0]}
        return
    fi
    echo "Systems of this medium:"
    list
    while :; do
        ask "Which one is to be installed?"
        for number in "${!all[@]}"; do
            if [ "$answer" = "${all[number]}" ]; then
                name=$answer
                return
            fi
        done
        echo "There is no \"$answer\"."
    done
}

choose_disk() { # NAME OF THE SYSTEM'S DISK
    local all disk why
    mapfile -t all < <(candidates)
    [ ${#all[@]} -gt 0 ] || fail "no disk of this machine can take $name" "it needs a disk of $(human "$disk_bytes") that is not in use"
    echo "Disks of this machine:"
    for disk in "${all[@]}"; do
        printf '  %-10s %s\n' "$disk" "$(about "$disk")"
    done
    while :; do
        ask "On which one is $name to be installed${1:+, as its disk \"$1\"}?"
        case $answer in /*) disk=$answer ;; *) disk=/dev/$answer ;; esac
        if [ -z "$answer" ]; then continue; fi
        why=$(why_not "$disk")
        [ -n "$why" ] || break
        echo "$disk $why."
    done
    chosen=$disk
}

# --- checks, which write nothing

check_paths() {
    local missing path
    mapfile -t needed < <(get '(.roots + (.source.paths // []) + (.kit // []))[]')
    for path in "${needed[@]}"; do
        [ -e "$path" ] || [ -L "$path" ] || fail "$path is not on this medium" "the medium is damaged or was not made with --install; 'livebuild verify' tells"
    done
    # What the database does not know cannot be copied.
    if ! missing=$(nix-store --query --requisites "${needed[@]}" 2>&1 >/dev/null); then
        fail "the store of this medium does not have all of $name: $(printf '%s' "$missing" | head -n 1)" "start the medium again, or write it anew"
    fi
    mapfile -t closure < <(nix-store --query --requisites "${needed[@]}")
    for path in "${closure[@]}"; do
        [ -e "$path" ] || [ -L "$path" ] || fail "$path is not on this medium" "the medium is damaged; write it anew"
    done
    bytes=$(nix-store --query --size "${closure[@]}" | { total=0; while read -r size; do total=$((total + size)); done; echo $total; })
    # File systems take some, and a second generation wants room.
    disk_bytes=$((bytes + bytes / 4 + (512 << 20)))
    has_esp=$(get '[.fileSystems[] | select(.fsType == "vfat")] | length')
    [ "$has_esp" = 0 ] || disk_bytes=$((disk_bytes + esp_bytes))
}
esp_bytes=$((512 << 20))

# check_platform: that this system runs the programs of the other, as the installation of its
# boot loader does. A medium for several platforms has systems of each.
check_platform() {
    local platform machine
    platform=$(get .platform)
    machine=$(uname -m)
    case $machine-$platform in
    x86_64-x86_64-linux | x86_64-i686-linux | i?86-i686-linux) ;;
    aarch64-aarch64-linux | aarch64-armv7l-linux | armv7l-armv7l-linux) ;;
    *) [ "$machine-linux" = "$platform" ] ||
        fail "$name is for $platform, and this machine is $machine" "start the medium on a machine of its platform" ;;
    esac
}

# memory FIELD...: the sum of fields of /proc/meminfo in bytes.
memory() {
    local field value kib=0 wanted
    while read -r field value _; do
        for wanted in "$@"; do
            [ "$field" != "$wanted:" ] || kib=$((kib + value))
        done
    done </proc/meminfo
    echo $((kib << 10))
}

# check_memory: what is written while a system is copied, beside the pages of what is read, lies in
# memory, as the folder of this live system does. An evaluation is not part of it.
check_memory() {
    local free all
    free=$(memory MemAvailable SwapFree) all=$(memory MemTotal SwapTotal)
    [ "$free" -ge "$least_memory" ] ||
        fail "this machine has $(human "$free") of memory left, and copying $name needs $(human "$least_memory")" "end other programs, or add swap: swapon"
    [ -z "$(get '.source.path // empty')" ] || [ "$all" -ge "$evaluation_memory" ] ||
        say "warning: this machine has $(human "$all") of memory; nixos-rebuild evaluates in up to $(human "$evaluation_memory"), and will need swap"
}
least_memory=$((128 << 20)) evaluation_memory=$((2 << 30))

check_firmware() {
    local needs
    needs=$(get .firmware)
    if [ "$needs" = uefi ] && [ ! -d /sys/firmware/efi ]; then
        fail "$name starts by UEFI alone, and this machine was started by BIOS" "start the medium by UEFI: choose its entry with UEFI in the firmware's boot menu"
    elif [ "$needs" = bios ] && [ -d /sys/firmware/efi ]; then
        fail "$name starts by BIOS alone, and this machine was started by UEFI" "start the medium by BIOS, which firmware calls legacy or CSM"
    fi
    if [ "$(get .touchesEFIVariables)" = true ] && [ -d /sys/firmware/efi ] && ! mountpoint -q /sys/firmware/efi/efivars; then
        fail "the variables of UEFI cannot be changed: efivarfs is not mounted" "mount -t efivarfs efivarfs /sys/firmware/efi/efivars"
    fi
}

check_secrets() {
    local secret given file
    while read -r secret; do
        given=
        for file in ${extra[@]+"${extra[@]}"}; do
            [ "${file#*:}" != "$secret" ] || given=1
        done
        [ -n "$given" ] || [ -e "$root$secret" ] ||
            fail "$name wants $secret in its initrd, which is on no medium" "give it: --extra-file FILE:$secret"
    done < <(get '.secrets[]')
    for file in ${extra[@]+"${extra[@]}"}; do
        [ -f "${file%%:*}" ] || fail "${file%%:*} is no file"
        case ${file#*:} in
        /nix/* | *..* | */) fail "${file#*:} is no place for a file" ;;
        /*) ;;
        *) fail "${file#*:} is no absolute path" ;;
        esac
    done
}

# check_disks: a disk for each of the system's.
check_disks() {
    local disk device why other
    local -A seen=()
    for disk in "${disks[@]}"; do
        device=${given[$disk]-}
        if [ -z "$device" ]; then
            if [ ${#disks[@]} -eq 1 ]; then choose_disk ""; else choose_disk "$disk"; fi
            device=$chosen
        fi
        why=$(why_not "$device")
        [ -z "$why" ] || fail "$device $why" "choose another disk; nothing was written"
        other=$(kernel_name "$device")
        [ -z "${seen[$other]-}" ] || fail "$device is given twice, as \"${seen[$other]}\" and as \"$disk\"" "give a disk for each"
        seen[$other]=$disk
        given[$disk]=$device
    done
}

# check_mounted: that what is mounted is what the system will look for.
check_mounted() {
    local point device source wanted
    case $root in /*) ;; *) fail "--root $root is no absolute path" ;; esac
    [ -d "$root" ] || fail "$root does not exist" "mount the root of the new system there"
    root=$(realpath "$root")
    [ "$root" != / ] || fail "--root / is this live system" "mount the root of the new system at /mnt"
    mountpoint -q "$root" || fail "nothing is mounted at $root" "make file systems and mount them there; livebuild-install --list says which $name looks for"
    while IFS=$'\t' read -r point device; do
        wanted=$root${point%/}
        mountpoint -q "$wanted" || fail "nothing is mounted at $wanted" "$name looks for $point as $device: mount it there"
        source=$(mounted_source "$wanted")
        [ -b "$device" ] || fail "$name looks for $point as $device, which is not there" "give the file system that label or UUID, or change the configuration"
        [ "$(readlink -f "$device")" = "$(readlink -f "$source")" ] ||
            fail "$name looks for $point as $device, which is not what is mounted at $wanted ($source)" "mount $device there, or change the configuration"
    done < <(get '.fileSystems[] | [.mountPoint, .device] | @tsv')
    # Of a system without file systems on disks nothing is known.
    [ "$(($(stat -f -c '%a * %S' "$root")))" -ge "$((bytes + bytes / 8))" ] ||
        fail "$root has $(human "$(($(stat -f -c '%a * %S' "$root")))") left, and $name needs $(human "$((bytes + bytes / 8))")" "take a larger disk"
    check_way "$root"
}

# mounted_source DIR: the device of the last mount there.
mounted_source() {
    local found= point rest
    while read -r _ _ _ _ point rest; do
        [ "$point" = "$1" ] || continue
        found=${rest#*- } found=${found#* } found=${found%% *}
    done </proc/self/mountinfo
    printf '%s\n' "$found"
}

# check_way DIR: what nixos-install wants of the folders above it.
check_way() {
    local dir=$1 mode
    while [ "$dir" != / ]; do
        mode=$(stat -c %a "$dir")
        [ "${mode: -1}" -ge 5 ] || fail "$dir cannot be read by others: its mode is $mode" "chmod o+rx $dir"
        dir=$(dirname "$dir")
    done
    [ "$(stat -c %u "$1")" = 0 ] || fail "$1 does not belong to root" "chown root: $1"
}

# --- doing it

make_links() {
    local disk target number
    mkdir -p "$links"
    for disk in "${disks[@]}"; do
        target=$(readlink -f "${given[$disk]}")
        ln -sfn "$target" "$links/$disk"
        for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
            ln -sfn "/dev/$(part_of "$(basename "$target")" "$number")" "$links/$disk-part$number"
        done
    done
}

settle() { if command -v udevadm >/dev/null; then udevadm settle; fi; }

# wait_for DEVICE: partitions appear some time after their table is written.
wait_for() {
    local tries
    for tries in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ ! -b "$1" ] || return 0
        sleep 0.5
    done
    fail "$1 does not appear after $tries tries" "the kernel did not read the new partition table; start again"
}

# label_of DEVICE: the last element of /dev/disk/by-label/X.
label_of() { printf '%s\n' "${1##*/}"; }

# make_simple: a partition for what boots the machine, and one for the rest.
make_simple() {
    local disk boot_type=uefi esp_device root_device root_type table part_esp= part_root number=0 tool
    disk=$(kernel_name "${given[main]}")
    while read -r tool; do PATH=$tool/bin:$tool/sbin:$PATH; done < <(get '.tools[]')
    export PATH
    root_device=$(get '.fileSystems[] | select(.mountPoint == "/") | .device')
    root_type=$(get '.fileSystems[] | select(.mountPoint == "/") | .fsType')
    esp_device=$(get '.fileSystems[] | select(.mountPoint != "/") | .device')
    table="label: gpt"
    part_name() { # DEVICE FALLBACK
        case $1 in */by-partlabel/*) label_of "$1" ;; *) echo "$2" ;; esac
    }
    if [ "$(get '.grubDevices | length')" != 0 ]; then
        number=$((number + 1))
        table+=$'\n'"name=\"BIOS boot\", size=1MiB, type=21686148-6449-6E6F-744E-656564454649"
    fi
    if [ -n "$esp_device" ]; then
        number=$((number + 1)) part_esp=$number
        [ -d /sys/firmware/efi ] || [ "$(get .firmware)" != bios ] || boot_type=linux
        table+=$'\n'"name=\"$(part_name "$esp_device" ESP)\", size=$((esp_bytes >> 20))MiB, type=$boot_type"
    fi
    number=$((number + 1)) part_root=$number
    table+=$'\n'"name=\"$(part_name "$root_device" nixos)\", type=linux"
    wipefs --all --quiet "/dev/$disk" || fail "what /dev/$disk held cannot be deleted"
    printf '%s\n' "$table" | sfdisk --quiet --wipe always --wipe-partitions always "/dev/$disk"
    settle
    part_root=/dev/$(part_of "$disk" "$part_root")
    wait_for "$part_root"
    make_file_system "$root_type" "$root_device" "$part_root"
    if [ -n "$part_esp" ]; then
        part_esp=/dev/$(part_of "$disk" "$part_esp")
        wait_for "$part_esp"
        make_file_system vfat "$esp_device" "$part_esp"
    fi
    settle
    mount_simple "$part_root" "$part_esp"
}

mount_simple() { # ROOT ESP
    local point
    mkdir -p "$root"
    mount -t "$(get '.fileSystems[] | select(.mountPoint == "/") | .fsType')" "$1" "$root"
    mounted=1
    [ -z "$2" ] || {
        point=$(get '.fileSystems[] | select(.mountPoint != "/") | .mountPoint')
        mkdir -p "$root$point"
        mount -t vfat -o umask=0077 "$2" "$root$point"
    }
}

make_file_system() { # TYPE DEVICE-AS-THE-SYSTEM-NAMES-IT PARTITION
    local label=
    case $2 in */by-label/*) label=$(label_of "$2") ;; esac
    case $1 in
    ext[34]) "mkfs.$1" -q -F ${label:+-L "$label"} "$3" ;;
    btrfs | xfs) "mkfs.$1" -q -f ${label:+-L "$label"} "$3" ;;
    f2fs) mkfs.f2fs -q -f ${label:+-l "$label"} "$3" ;;
    vfat) mkfs.vfat -F 32 ${label:+-n "$label"} "$3" >/dev/null ;;
    esac
}

# find_simple: what make_simple made earlier.
find_simple() {
    local root_device esp_device
    root_device=$(get '.fileSystems[] | select(.mountPoint == "/") | .device')
    esp_device=$(get '.fileSystems[] | select(.mountPoint != "/") | .device')
    [ -b "$root_device" ] || fail "$root_device is not there" "without --no-format it is made"
    [ -z "$esp_device" ] || [ -b "$esp_device" ] || fail "$esp_device is not there" "without --no-format it is made"
    mount_simple "$root_device" "$esp_device"
}

copy_source() {
    local path number=0 input dir
    path=$(get '.source.path // empty')
    [ -n "$path" ] || return 0
    say "copying the flake to /etc/nixos"
    mkdir -p "$root/etc/nixos"
    if [ -n "$(ls -A "$root/etc/nixos")" ]; then
        mv "$root/etc/nixos" "$root/etc/nixos.before-$(date +%Y%m%d%H%M%S)"
        mkdir "$root/etc/nixos"
    fi
    cp -R --no-preserve=mode,ownership "$path"/. "$root/etc/nixos/"
    mapfile -t inputs < <(get '(.source.paths + (.kit // []))[]')
    # Of a store on the disk, and without a network to ask for anything.
    nix --extra-experimental-features nix-command copy --no-check-sigs --to "local?root=$root" "${inputs[@]}"
    mkdir -p "$root/nix/var/nix/gcroots/livebuild"
    for input in "${inputs[@]}"; do
        ln -sfn "$input" "$root/nix/var/nix/gcroots/livebuild/$number"
        number=$((number + 1))
    done
    dir=$(get '.source.dir // empty')
    [ -e "$root/etc/nixos/README" ] || cat >"$root/etc/nixos/README" <<END
This is the flake that this system was installed from. It has no history: a "git init"
and "git add ." make it a repository, of which Nix then sees the files that are added.
After a change:

    nixos-rebuild switch --flake '$(flake_here "$dir")'

It needs no network as long as its inputs stay what flake.lock says, and what has to be
built is there; "nixos-rebuild dry-build" tells.
END
}

flake_here() { # FOLDER OF THE FLAKE
    local configuration
    configuration=$(get .configuration)
    if [ -z "$1" ]; then echo "/etc/nixos#$configuration"; else echo "path:/etc/nixos?dir=$1#$configuration"; fi
}

set_password() {
    [ -n "$password" ] || return 0
    printf 'root:%s\n' "$password" | nixos-enter --root "$root" --silent -- /nix/var/nix/profiles/system/sw/bin/chpasswd -e
}

copy_extra() {
    local file mode
    for file in ${extra[@]+"${extra[@]}"}; do
        mkdir -p "$(dirname "$root${file#*:}")"
        mode=$(stat -c %a "${file%%:*}")
        install -m "$mode" "${file%%:*}" "$root${file#*:}"
    done
}

# serial PORT: have what starts the disk write to a serial console, for whoever watches the
# installed system start, as 'livebuild test' does.
serial() {
    local file
    for file in "$root"/boot/grub/grub.cfg "$root"/boot/*/grub/grub.cfg; do
        [ ! -f "$file" ] || sed -i "s/^\([[:space:]]*linux[[:space:]].*\)\$/\1 console=$1,115200n8/" "$file"
    done
    for file in "$root"/boot/loader/entries/*.conf "$root"/boot/*/loader/entries/*.conf "$root"/efi/loader/entries/*.conf; do
        [ ! -f "$file" ] || sed -i "s/^\(options .*\)\$/\1 console=$1,115200n8/" "$file"
    done
}

mounted=
cleanup() {
    local status=$?
    if [ -n "$mounted" ]; then umount -R "$root" 2>/dev/null || true; fi
    [ -z "${log-}" ] || rm -f "$log"
    return $status
}

install_system() {
    local system
    system=$(get .system)
    copy_extra
    # The live store is asked for everything, and nothing else is.
    mkdir -p "$root/tmp"
    chmod 1777 "$root/tmp"
    options=(--root "$root" --system "$system" --no-channel-copy --option substituters "" --option require-sigs false)
    if [ -n "$yes" ] || [ -n "$password" ] || [ "$(get .mutableUsers)" != true ]; then options+=(--no-root-passwd); fi
    TMPDIR=$root/tmp nixos-install "${options[@]}"
    set_password
    copy_source
}

# --- from the boot menu, or a stamp

# boot: NAME and disks from the kernel's command line, else from what was stamped.
boot() {
    local word line stamped=
    from_boot=1
    read -r line </proc/cmdline
    if [ -e /run/livebuild/install ]; then stamped=$(tr '\n' ' ' </run/livebuild/install); fi
    set -f
    # The disk of a stamp is not that of another system, which the menu was asked for.
    for word in $line; do
        case $word in
        livebuild.install=*) case " $stamped " in *" $word "*) ;; *) stamped= ;; esac ;;
        esac
    done
    for word in $stamped $line; do
        case $word in
        livebuild.install=*) name=${word#*=} ;;
        livebuild.disk=*) give_disk "${word#*=}" ;;
        livebuild.console=*) console=${word#*=} ;;
        livebuild.password=*) password=${word#*=} ;;
        esac
    done
    set +f
    [ -n "$name" ] || fail "nobody says what is to be installed"
    [ ${#given[@]} -eq 0 ] && [ -z "$only" ] || yes=$name
}

# countdown: any key stops it.
countdown() {
    local left
    for left in 10 9 8 7 6 5 4 3 2 1; do
        printf '\rlivebuild-install: installing %s in %2d s; press a key to stop ' "$name" "$left"
        if IFS= read -r -s -n 1 -t 1 _; then
            echo
            fail "stopped by a key" "livebuild-install installs by hand"
        fi
    done
    echo
}

# --- the command line

name= root= yes= dry= format=1 password= from_boot= console= wanted_root=
declare -A given=()
extra=() only=

give_disk() { # DEVICE or NAME=DEVICE
    case $1 in
    /*) only=$1 ;;
    *=*) given["${1%%=*}"]=${1#*=} ;;
    *) bad_usage "--disk needs a device, or NAME=DEVICE, and not \"$1\"" ;;
    esac
}

need() { [ "$1" -ge 2 ] || bad_usage "$2 needs a value"; }

while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage; exit 0 ;;
    --list) [ -r "$catalog" ] || fail "this medium has nothing to install"; list; exit 0 ;;
    --boot) from_boot=1; shift ;;
    --disk) need $# "$1"; give_disk "$2"; shift 2 ;;
    --root) need $# "$1"; wanted_root=$2; shift 2 ;;
    --yes) need $# "$1"; yes=$2 name=${name:-$2}; shift 2 ;;
    --no-format) format=; shift ;;
    --dry-run) dry=1; shift ;;
    --extra-file)
        need $# "$1"
        case $2 in *:*) extra+=("$2") ;; *) bad_usage "--extra-file needs SRC:DEST, and not \"$2\"" ;; esac
        shift 2
        ;;
    --root-password-hash)
        need $# "$1"
        [ -r "$2" ] || fail "$2 cannot be read"
        password=$(head -n 1 "$2")
        shift 2
        ;;
    -*) bad_usage "there is no option $1" ;;
    *)
        [ -z "$name" ] || [ "$name" = "$1" ] || bad_usage "one system is installed, not \"$name\" and \"$1\""
        name=$1
        shift
        ;;
    esac
done

[ "$(id -u)" = 0 ] || fail "only root can install a system" "sudo livebuild-install"
[ -r "$catalog" ] || fail "this medium has nothing to install: there is no $catalog" "make it with livebuild iso --install"
[ "$(jq -r .version "$catalog")" = 1 ] || fail "$catalog is of another version of livebuild"
[ -z "$from_boot" ] || boot
[ -n "$name" ] || choose_system
names | has "$name" || fail "this medium has no system \"$name\"" "it has $(names | tr '\n' ' ')"
[ -z "$yes" ] || [ "$yes" = "$name" ] || fail "--yes $yes is not $name, which is to be installed"
case $password in
"") ;;
'$'*) case $password in *:* | *' '*) fail "the hash of the password is none" ;; esac ;;
*) fail "the hash of the password is none" "'mkpasswd' makes one" ;;
esac
[ -z "$password" ] || [ "$(get .mutableUsers)" = true ] ||
    fail "$name forgets every password but those of its configuration: its users.mutableUsers is false" "leave the password out"

mapfile -t disks < <(get '.disks[].name')
if [ -n "$only" ]; then
    [ ${#disks[@]} -le 1 ] || fail "$name has several disks: ${disks[*]}" "give each: --disk ${disks[0]}=DEVICE"
    given[${disks[0]-main}]=$only
fi
for disk in "${!given[@]}"; do
    [ ${#disks[@]} -gt 0 ] || fail "how $name lays out a disk is not known" "make file systems, mount them at /mnt, and leave --disk out"
    printf '%s\n' "${disks[@]}" | has "$disk" || fail "$name has no disk \"$disk\"" "it has ${disks[*]}"
    [ -z "$from_boot" ] || case ${given[$disk]} in
    /dev/disk/by-*) ;;
    *) fail "${given[$disk]} may be another disk at the next start" "name it as below /dev/disk/by-id" ;;
    esac
done
if [ ${#disks[@]} -gt 0 ] && [ -z "$wanted_root" ]; then
    root=$(get '.disko.root // "/mnt"')
else
    root=${wanted_root:-/mnt} disks=()
    [ ${#given[@]} -eq 0 ] || fail "--root and --disk exclude each other" "--root takes what is mounted there"
fi

check_platform
check_firmware
check_paths
check_memory
check_secrets
if [ ${#disks[@]} -gt 0 ]; then
    ! mountpoint -q "$root" || fail "something is mounted at $root" "umount -R $root, or give --root $root to install there"
    # Disks that are found late.
    [ -z "$from_boot" ] || for disk in "${!given[@]}"; do
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ ! -e "${given[$disk]}" ] || break
            sleep 1
        done
    done
    check_disks
else
    check_mounted
fi

say "$name: $(get .distroName) $(get .label), $(human "$bytes") in ${#closure[@]} store paths"
for disk in ${disks[@]+"${disks[@]}"}; do
    if [ -n "$format" ]; then say "all that ${given[$disk]} holds will be deleted:"; else say "${given[$disk]} is used as it is:"; fi
    printf '    %s\n' "$(about "$(kernel_name "${given[$disk]}")")"
done
[ ${#disks[@]} -gt 0 ] || say "into $root, as it is mounted"
[ "$(get .login)" = true ] || [ -n "$password" ] ||
    if [ -n "$yes" ] || [ "$(get .mutableUsers)" != true ]; then
        say "warning: nobody can log in to it: it has no password, and no SSH server with a key"
    fi

if [ -n "$dry" ]; then
    say "nothing was done: this was --dry-run"
    exit 0
fi
if [ -z "$yes" ]; then
    ask "Type $name to install it:"
    [ "$answer" = "$name" ] || fail "nothing was done"
elif [ -n "$from_boot" ]; then
    countdown
fi

trap cleanup EXIT
log=$(mktemp)
{
    make_links
    if [ ${#disks[@]} -eq 0 ]; then
        :
    elif [ "$(get '.disko.format // empty')" != "" ]; then
        mounted=1
        mapfile -t arguments < <(get '(.disko.formatArguments // [])[]')
        if [ -n "$format" ]; then "$(get .disko.format)" ${arguments[@]+"${arguments[@]}"}; else "$(get .disko.mount)"; fi
        mountpoint -q "$root" || fail "nothing is mounted at $root after the disks were made" "this is an error of the configuration's disko"
    elif [ -n "$format" ]; then
        make_simple
    else
        find_simple
    fi
    install_system
    [ -z "$console" ] || serial "$console"
} > >(exec tee -a "$log") 2>&1
wait $! 2>/dev/null || true

say "writing to the disk"
mkdir -p "$root/var/log"
cp "$log" "$root/var/log/livebuild-install.log"
sync
if [ ${#disks[@]} -gt 0 ]; then
    umount -R "$root"
    mounted=
fi

for device in $(get '.grubDevices[]'); do
    [ ${#disks[@]} -gt 0 ] || break
    [ -n "$(get '.source.path // empty')" ] || break
    same=
    for disk in "${disks[@]}"; do
        [ "$(readlink -f "$device")" != "$(readlink -f "${given[$disk]}")" ] || same=1
    done
    [ -n "$same" ] || say "warning: the flake has boot.loader.grub write to $device, which is not the disk that was chosen: change it in /etc/nixos before nixos-rebuild"
done
say "$name is installed"
if [ -n "$from_boot" ]; then
    say "switching off; take the medium out"
    systemctl poweroff 2>/dev/null || poweroff -f
fi
