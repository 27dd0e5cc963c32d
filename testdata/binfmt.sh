#!/bin/sh
# binfmt.sh [--check]: let the kernel emulate aarch64, for builds of images for it.
#
# The registration is qemu-user-static's own, with the flag F that sandboxes need. Where
# systemd or binfmt-support has done it there is nothing to do; in containers and plain
# chroots nobody has. It belongs to the whole machine and stays. With --check nothing is
# registered. The exit status says whether the kernel emulates aarch64.
set -eu

folder=/proc/sys/fs/binfmt_misc
entry=/usr/lib/binfmt.d/qemu-aarch64.conf

# emulated: whether there is a usable registration.
emulated() {
    [ "$(head -n 1 $folder/qemu-aarch64 2>/dev/null)" = enabled ] && grep -q '^flags:.*F' $folder/qemu-aarch64
}

if ! emulated && [ "${1-}" != --check ]; then
    [ -e $folder/register ] || mount -t binfmt_misc none $folder || true
    [ -e $folder/qemu-aarch64 ] || cat $entry >$folder/register || true
fi
emulated || {
    echo "binfmt.sh: NOT TESTED: the kernel emulates no aarch64 here, and lets nobody register it;" \
        "images for aarch64 are neither built nor booted" >&2
    exit 1
}
