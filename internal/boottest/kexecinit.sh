#!/bin/busybox sh
# The first process of a Linux with nothing but the programs of an archive for kexec, which it unpacks and
# runs. What goes wrong is told in one line, and ends the machine.
console=%s # of the system, too
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TERM=dumb
mkdir -p /proc /sys /dev /etc /root /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo root:x:0:0:root:/root:/bin/sh >/etc/passwd

fail() {
    echo "livebuild: kexec failed: $1"
    sync
    poweroff -f
}

cd /root || fail "there is no /root"
tar -xf /archive.tar || fail "the archive cannot be unpacked"
rm /archive.tar
if kexec/run --kernel-params "$console" >/tmp/said 2>&1; then
    cat /tmp/said
else
    cat /tmp/said
    fail "$(sed -n 's/^error: //p' /tmp/said | tail -n 1)"
fi
sleep 300
fail "the system was loaded, and did not start"
