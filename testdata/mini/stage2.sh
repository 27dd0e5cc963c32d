#!@busybox@/bin/sh
# Second stage of the mini live system: compare the store with the lists made when it
# was built, print what was found on the console and switch the machine off.
export PATH=@busybox@/bin LC_ALL=C

result=FAIL
failures=0
work=/run/mini

say() {
    echo "MINI-$*"
}

# differs WHAT DETAILS: note a failure; DETAILS is a file.
differs() {
    failures=$((failures + 1))
    say "DIFFERS $1"
    head -n 20 "$2" | sed 's/^/MINI-DIFF /'
}

# same WHAT EXPECTED FOUND: compare two files.
same() {
    if cmp -s "$2" "$3"; then
        say "CHECK ok $1 $(wc -l <"$2")"
    else
        diff "$2" "$3" >$work/diff
        differs "$1" $work/diff
    fi
}

# empty WHAT FOUND: FOUND, a file, lists what is wrong.
empty() {
    same "$1" /dev/null "$2"
}

# However this script ends, the machine goes off; only its last line makes a PASS.
trap 'say "RESULT $result"; sync; sleep 1; poweroff -f' EXIT

say STAGE2
mkdir -p $work
for word in $(cat /proc/cmdline); do
    case $word in
    init=*) toplevel=${word#init=} toplevel=${toplevel%/init} ;;
    esac
done
# The lists of a specialisation are those of the system that it belongs to.
for parent in /nix/store/*/specialisation/*; do
    [ "$(readlink "$parent")" != "$toplevel" ] || toplevel=${parent%/specialisation/*}
done

# What the kernel's command line asks for. A NixOS live system has its store in Nix' database,
# and udev makes the names of disks.
if [ -e "$toplevel/installer" ] && { grep -q livebuild.install= /proc/cmdline || [ -e /run/livebuild/install ]; }; then
    trap - EXIT
    mkdir -p /dev/disk/by-id /dev/disk/by-label /root /etc /mnt
    ln -sfn /proc/self/fd /dev/fd
    ln -sfn @busybox@/bin /bin
    for disk in /sys/class/block/vd?; do
        [ ! -s "$disk/serial" ] || ln -sfn "/dev/${disk##*/}" "/dev/disk/by-id/virtio-$(cat "$disk/serial")"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
    PATH=$(readlink -f "$toplevel/sw")/bin:$PATH
    tools=$(ls -d /nix/store/*-mini-tools)
    export HOME=/root NIX_CONFIG="build-users-group ="
    "$tools/bin/nix-store" --load-db < /nix/store/nix-path-registration
    # shellcheck disable=SC2046,SC2091 # a command
    $(cat "$toplevel/installer")
    say "RESULT $?"
    sleep 1
    poweroff -f
fi

# What was stamped onto the medium, or left by the system before this one, as systemd would start its
# units.
for unit in livebuild-stamp livebuild-stamp-address livebuild-stamp-run livebuild-kexec livebuild-kexec-addresses; do
    file=/run/systemd/system/$unit.service
    [ -e "$file" ] || continue
    condition=$(sed -n 's/^ConditionPathExists=//p' "$file")
    [ -z "$condition" ] || [ -e "$condition" ] || continue
    sh "$(sed -n 's/^ExecStart=.bin.sh //p' "$file")" 2>&1 | sed 's/^/MINI-STAMP /'
    grep -l "Wants=$unit" /run/systemd/system/*.target.d/*.conf | sed 's/^/MINI-WANTED /'
done
if [ -d /run/livebuild/stamp ]; then
    say "HOSTNAME $(cat /proc/sys/kernel/hostname)"
    sed 's/^/MINI-KEY /' /root/.ssh/authorized_keys
    stat -c 'MINI-MODE %a %n' /root/.ssh/authorized_keys /run/livebuild/stamp/apply
    ip -o address show | sed 's/^/MINI-ADDRESS /'
fi

if [ -d /run/livebuild/kexec ]; then
    sed 's/^/MINI-KEY /' /root/.ssh/authorized_keys
    stat -c 'MINI-MODE %a %n' /root/.ssh/authorized_keys /etc/ssh/ssh_host_*
    sed 's/^/MINI-HOSTKEY /' /etc/ssh/ssh_host_*
    ip -o address show | sed 's/^/MINI-ADDRESS /'
    ip route show | sed 's/^/MINI-ROUTE /'
fi

# What the stick keeps: what the boots before left, and a line more of it.
if [ -e /run/livebuild/persist ]; then
    sed 's/^/MINI-PERSIST /' /run/livebuild/persist
    say "ROOT $(stat -f -c %T /)"
    # shellcheck disable=SC2002 # none of a file that is not there
    say "BOOTS-KEPT $(cat /home/boots 2>/dev/null | wc -l)"
    [ ! -e /nix/store/.mini-written ] || say "STORE-KEPT $(cat /nix/var/mini 2>/dev/null)"
    mkdir -p /home
    echo boot >>/home/boots
    echo var >/nix/var/mini
    for command in /nix/store/*-livebuild-persist/bin/livebuild-persist; do
        for word in $(cat /proc/cmdline); do
            case $word in mini.gc) sh "$command" gc | sed 's/^/MINI-GC /' ;; esac
        done
        sh "$command" status | sed 's/^/MINI-STATUS /'
    done
fi
[ ! -e /run/livebuild/persist-told ] || sed 's/^/MINI-TOLD /' /run/livebuild/persist-told

[ ! -e /iso/nix-store.squashfs ] || say "SQUASHFS $(stat -c %s /iso/nix-store.squashfs) bytes"
(cd /iso && find . | sort) | sed 's/^/MINI-ISO /'
[ ! -e /iso/boot ] || find /iso/boot -type f -print0 | sort -z | xargs -0 -r sha256sum | sed 's/^/MINI-BOOTFILE /'

# The registration: a grammar, then its content against the store and the lists.
registration=/nix/store/nix-path-registration
awk -v paths=$work/paths -v references=$work/references -v toplevel="$toplevel" '
    function wrong(what) { print "line " NR ": " what ": " $0 }
    BEGIN { printf "" > paths; printf "" > references }
    left > 0 { if (path != toplevel) print path, $0 > references; left--; next }
    step == 0 { path = $0; print > paths; if ($0 !~ /^\/nix\/store\/[0-9a-z]+-./) wrong("no store path") }
    step == 1 { if ($0 !~ /^(sha256:)?[0-9a-z]+$/ || length($0) < 52) wrong("no NAR hash") }
    step == 2 { if ($0 !~ /^[1-9][0-9]*$/) wrong("no NAR size") }
    step == 3 { if ($0 != "") wrong("a deriver") }
    step == 4 { if ($0 !~ /^[0-9]+$/) wrong("no count"); left = $0 + 0 }
    { step = (step + 1) % 5 }
    END { if (step != 0 || left > 0) print "cut off after line " NR }' $registration >$work/grammar
[ -z "$(tail -c 1 $registration)" ] || echo "no newline at the end" >>$work/grammar
empty registration-grammar $work/grammar
say "REGISTRATION $(wc -l <$work/paths) records"

sort $work/paths >$work/paths.sorted
same registration-order $work/paths.sorted $work/paths
same registration-paths "$toplevel/closure" $work/paths.sorted
sort $work/references >$work/references.sorted
same registration-references "$toplevel/references" $work/references.sorted
while read -r path; do
    [ -e "$path" ] || [ -L "$path" ] || echo "$path is absent"
done <$work/paths >$work/absent
empty registered-and-present $work/absent

# shellcheck disable=SC2010 # names in a store have no line feeds
ls -A /nix/store | grep -v -e '^nix-path-registration$' -e '^\.mini-written$' | sed 's|^|/nix/store/|' | sort >$work/entries
say "STORE-ENTRIES $(wc -l <$work/entries)"
same store-entries "$toplevel/closure" $work/entries

# The store's files.
find /nix/store ! -user 0 -o ! -group 0 | sort >$work/foreign
empty owners $work/foreign
xargs @out@/bin/manifest \
    "$toplevel/manifest" <"$toplevel/closure" >$work/manifest 2>$work/errors
same manifest "$toplevel/manifest" $work/manifest
empty read-errors $work/errors
say "FILES $(find /nix/store -type f | wc -l)"

if echo live >/nix/store/.mini-written && [ "$(cat /nix/store/.mini-written)" = live ]; then
    say OVERLAY writable
else
    echo "/nix/store cannot be written" >$work/overlay
    differs overlay $work/overlay
fi

[ $failures -ne 0 ] || result=PASS
