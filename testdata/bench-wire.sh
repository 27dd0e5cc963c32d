#!/bin/bash
# bench-wire.sh LIVEBUILD BENCH CORPUS FOLDER REPORT [COMPRESSION...]: measure what an update of an
# image costs over the wire, beside zsync and the plain download, and write it into REPORT.
#
# Images are made of the corpus of 'make bench' (CORPUS), by its packer (BENCH), in FOLDER: one
# before an update, and after each kind of update one. A server, nginx, and a client are in network
# namespaces of their own; what goes between them is shaped to 100 Mbit/s by tc, and counted by the
# kernel on the server's side, headers and all, and by the log of the server, bodies alone.
# Needs root.
set -euo pipefail

livebuild=$(realpath "$1") bench=$(realpath "$2") corpus=$(realpath "$3") report=$(realpath "$5")
mkdir -p "$4"
folder=$(realpath "$4")
shift 5
[ $# -gt 0 ] || set -- none zstd:3
rate=100mbit server=livebuild-server client=livebuild-client address=10.99.0.1
export XDG_CACHE_HOME=$folder/cache NETRC=/dev/null LC_ALL=C

clean() {
    [ ! -e "$folder/nginx.pid" ] || kill "$(cat "$folder/nginx.pid")" 2>/dev/null || true
    ip netns del $server 2>/dev/null || true
    ip netns del $client 2>/dev/null || true
}
trap clean EXIT
clean

# The store before and after: hard links, so that the corpus stays as it is.
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder/store"
    mkdir -p "$folder/store/nix" "$folder/www"
    cp -al "$corpus/store/nix/store" "$folder/store/nix/store"
    cp "$corpus/a.closure.json" "$folder/before.json"
    cp "$corpus/a.closure.json" "$folder/same.json"
    cp "$corpus/b.closure.json" "$folder/package.json"
    "$bench" vary -store "$folder/store" -closure "$folder/before.json" -match linux-image -output "$folder/kernel.json"
    "$bench" vary -store "$folder/store" -closure "$folder/before.json" -output "$folder/all.json"
    touch "$folder/complete"
fi
updates="package kernel all same"

# image UPDATE COMPRESSION: make the image after an update, and what zsync needs beside it.
image() {
    local kernel file=$folder/www/${2//:/-}.$1.iso
    [ -e "$file.zsync" ] && return
    kernel=$(sed 's/.*"\(\/nix\/store\/[^"]*-linux-image-[^"]*\)".*/\1/' "$folder/$1.json")
    kernel=$(cd "$folder/store" && echo ".$kernel"/boot/vmlinuz-*)
    "$bench" pack -store "$folder/store" -closure "$folder/$1.json" -compression "$2" -kernel "${kernel#.}" -output "$file.new" >/dev/null
    mv "$file.new" "$file"
    (cd "$folder/www" && zsyncmake -q -u "$(basename "$file")" -o "$file.zsync" "$file" 2>/dev/null)
}

# network: a server and a client, and a wire between them.
network() {
    ip netns add $server
    ip netns add $client
    ip link add wire0 netns $server type veth peer name wire1 netns $client
    ip -n $server addr add $address/24 dev wire0
    ip -n $client addr add 10.99.0.2/24 dev wire1
    for end in "$server wire0" "$client wire1"; do
        # shellcheck disable=SC2086 # two words
        set -- $end
        ip -n "$1" link set lo up
        ip -n "$1" link set "$2" up
        ip netns exec "$1" tc qdisc add dev "$2" root tbf rate $rate burst 64kb latency 50ms
    done
    cat >"$folder/nginx.conf" <<END
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log;
user root;
events {}
http {
    log_format bytes '\$body_bytes_sent';
    access_log $folder/access.log bytes;
    server { listen $address:80; root $folder/www; default_type application/octet-stream; }
}
END
    ip netns exec $server nginx -c "$folder/nginx.conf"
}

on_wire() { ip netns exec $server cat /sys/class/net/wire0/statistics/tx_bytes; }

# measure COMMAND...: what it costs: seconds, bytes by the log, bytes on the wire.
measure() {
    : >"$folder/access.log"
    local start end before
    before=$(on_wire)
    start=$(date +%s.%N)
    ip netns exec $client "$@" >"$folder/output" 2>&1 || {
        cat "$folder/output" >&2
        return 1
    }
    end=$(date +%s.%N)
    sleep 0.2 # the log is written when a request has ended
    echo "$(awk "BEGIN { print $end - $start }") $(awk '{ n += $1 } END { print n + 0 }' "$folder/access.log") $(($(on_wire) - before))"
}

by_livebuild() { "$livebuild" fetch "http://$address/$1" -o "$folder/got.iso" --seed "$folder/www/$2" --force; }
by_zsync() { cd "$folder" && zsync -q -i "$folder/www/$2" -o "$folder/got.iso" "http://$address/$1.zsync"; }
by_curl() { curl --silent --fail -o "$folder/got.iso" "http://$address/$1"; }
export -f by_livebuild by_zsync by_curl
export livebuild folder address

# run HOW NAME UPDATE: measure a way, and check what came.
run() {
    rm -rf "$folder"/got.iso* "$XDG_CACHE_HOME"
    cat "$folder/www/$2.$3.iso" "$folder/www/$2.before.iso" >/dev/null
    measure bash -c "by_$1 $2.$3.iso $2.before.iso"
    cmp "$folder/got.iso" "$folder/www/$2.$3.iso" >&2 || {
        cat "$folder/output" >&2
        return 1
    }
    sync
}

seconds() { awk "BEGIN { printf \"%.2f\", $1 }"; }
mb() { awk "BEGIN { printf \"%.2f\", $1 / 1e6 }"; }
percent() { awk "BEGIN { printf \"%.2f %%\", 100 * $1 / $2 }"; }

network
{
    echo "## Over the wire"
    echo
    echo "\`make bench-wire\` updates an image that is here to one on a server: nginx $(nginx -v 2>&1 | sed 's/.*\///'), over a link that tc shapes"
    echo "to 100 Mbit/s, between two network namespaces. \"log\" is what the server says that it sent, without headers; \"wire\""
    echo "what the kernel counted on the link, with those of HTTP, TCP and Ethernet. Each file that came was compared. The image"
    echo "before is in a file here; zsync is $(dpkg-query -W -f '${Version}' zsync) of Debian 12, with its table (\`.zsync\`) downloaded, too."
    echo "One run each; times are of whole processes, on a machine that may have had other work."
    echo
    echo "| image | update | livebuild log MB | of the image | wire MB | s | zsync log MB | of the image | wire MB | s | plain s | plain / livebuild |"
    echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for compression; do
        name=${compression//:/-}
        image before "$compression"
        for update in $updates; do
            image "$update" "$compression"
            size=$(stat -c %s "$folder/www/$name.$update.iso")
            cost=$(run livebuild "$name" "$update")
            read -r ls ll lw <<<"$cost"
            cost=$(run zsync "$name" "$update")
            read -r zs zl zw <<<"$cost"
            if [ "$update" = package ]; then
                cost=$(run curl "$name" "$update")
                read -r ps _ <<<"$cost"
            fi
            case $update in
            package) what="one package of 1 MB" ;;
            kernel) what="kernel and modules" ;;
            all) what="everything rebuilt" ;;
            same) what="none: the same image" ;;
            esac
            echo "| $compression, $(mb "$size") MB | $what | $(mb "$ll") | **$(percent "$ll" "$size")** | $(mb "$lw") | $(seconds "$ls") | $(mb "$zl") | $(percent "$zl" "$size") | $(mb "$zw") | $(seconds "$zs") | $(seconds "$ps") | $(awk "BEGIN { printf \"%.1f\", $ps / $ls }") |"
            echo "$compression $update: livebuild $ll bytes $ls s, zsync $zl bytes $zs s, plain $ps s" >&2
        done
    done
} >"$folder/table.md"

# The table goes between marks, as that of the packer does.
awk -v table="$folder/table.md" '
    /^<!-- over the wire: written by/ { print; print_table(); skip = 1; next }
    /^<!-- end of over the wire -->/ { skip = 0 }
    !skip
    function print_table(  line) { while ((getline line < table) > 0) print line; print "" }' "$report" >"$report.new"
mv "$report.new" "$report"
