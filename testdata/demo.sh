#!/bin/bash
# demo.sh LIVEBUILD FLAKE: write the image of the mini flake and boot it by BIOS, as a
# disc, and by UEFI, as a USB stick. The live system checks its own store and says so.
set -eu -o pipefail

livebuild=$1 flake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== livebuild iso path:$flake#mini"
"$livebuild" iso "path:$flake#mini" -o "$work/" --json | tee "$work/result.json"
image=$(sed -n 's/^  "file": "\(.*\)",$/\1/p' "$work/result.json")

# boot NAME QEMU-ARGUMENT...: boot the image, show what its checks say, insist on a PASS.
boot() {
    name=$1
    shift
    echo "== booting by $name"
    timeout -k 5 300 qemu-system-x86_64 -machine q35 -cpu qemu64 -accel tcg -m 1024 \
        -display none -monitor none -nic none -no-reboot -serial "file:$work/console" \
        -drive "if=none,id=medium,format=raw,readonly=on,file=$image" "$@" </dev/null
    tr -d '\000\r' <"$work/console" | grep -a '^MINI-' | grep -av '^MINI-ISO' | tee "$work/markers"
    grep -q '^MINI-RESULT PASS' "$work/markers"
}

boot "BIOS, as a disc" -device ide-cd,drive=medium,bootindex=0

cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars.fd"
boot "UEFI, as a USB stick" \
    -drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
    -drive "if=pflash,format=raw,unit=1,file=$work/vars.fd" \
    -device qemu-xhci -device usb-storage,drive=medium,removable=on,bootindex=0

echo "== both booted"
