#!/bin/sh
# check.sh DIST WORK CACHE: judge what dist.sh wrote to DIST: make it again from a copy of the
# sources, with caches of their own, and compare; have dpkg, rpm and lintian read the packages;
# run the programs in a folder where nothing else is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
die() {
    echo "check.sh: $*" >&2
    exit 1
}
[ $# -eq 3 ] || die "usage: check.sh DIST WORK CACHE"
mkdir -p "$2" "$3"
dist=$(cd "$1" && pwd) work=$(cd "$2" && pwd) cache=$(cd "$3" && pwd)
cd "$dist"
sha256sum --quiet --check SHA256SUMS
version=$(sed -n 's/^ *version = "\(.*\)";$/\1/p' "$here/../../package.nix")

# Elsewhere, at another time, with nothing compiled before.
if [ -z "${DIST_ONCE-}" ]; then
    rm -rf "$work/elsewhere" "$work/again" "$work/go-cache"
    git clone -q "$here/../.." "$work/elsewhere"
    [ -z "$(git -C "$here/../.." status --porcelain)" ] || die "commit your changes: what is compared is the commit"
    GOCACHE=$work/go-cache TMPDIR=$work "$work/elsewhere/cmd/dist/dist.sh" "$work/again" "$cache" >/dev/null
    diff -r "$dist" "$work/again"
    rm -rf "$work/elsewhere" "$work/again" "$work/go-cache"
    echo "the same bytes again"
fi

# Programs that need nothing.
for machine in x86_64 aarch64; do
    program=livebuild-$version-$machine-linux
    file "$program" | grep -q 'statically linked, .*stripped' || die "$program: $(file "$program")"
    rm -rf "$work/empty"
    mkdir -p "$work/empty"
    cp "$program" "$work/empty/livebuild"
    run="chroot $work/empty /livebuild"
    if [ "$machine" != "$(uname -m)" ]; then
        emulator=$(command -v "qemu-$machine-static") || die "qemu-$machine-static is missing (package qemu-user-static)"
        cp "$emulator" "$work/empty/emulator"
        run="chroot $work/empty /emulator /livebuild"
    fi
    [ "$($run version | head -n 1 | cut -d ' ' -f 1,2)" = "livebuild $version" ] || die "$program says $($run version)"
    $run version | grep -q 'zstd by libzstd .*xz by liblzma' || die "$program lacks codecs"
    $run init flake >/dev/null
    [ -e "$work/empty/flake/flake.nix" ] || die "$program writes no flake"
    # Without Nix it says so.
    ! $run plan ./flake 2>"$work/stderr" || die "$program needs no Nix?"
    grep -q '^error: .*[Nn]ix' "$work/stderr" || die "$(cat "$work/stderr")"
    rm -rf "$work/empty"
    echo "$program runs in an empty folder"
done

# Packages, as their own tools see them.
for arch in amd64 arm64; do
    package=livebuild_$version-1_$arch.deb
    dpkg-deb --field "$package" Package Version Architecture >"$work/fields"
    printf 'Package: livebuild\nVersion: %s\nArchitecture: %s\n' "$version-1" "$arch" | cmp - "$work/fields"
    rm -rf "$work/deb"
    dpkg-deb -x "$package" "$work/deb"
    case $arch in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    esac
    cmp "$work/deb/usr/bin/livebuild" "livebuild-$version-$machine-linux"
    for page in livebuild livebuild-iso livebuild-init; do
        gzip -dc "$work/deb/usr/share/man/man1/$page.1.gz" | grep -q '^\.TH' || die "$package has no manual page $page"
    done
    bash -n "$work/deb/usr/share/bash-completion/completions/livebuild"
    [ -s "$work/deb/usr/share/zsh/vendor-completions/_livebuild" ]
    [ -s "$work/deb/usr/share/fish/vendor_completions.d/livebuild.fish" ]
    lintian --allow-root --fail-on error,warning "$package"

    rpm=livebuild-$version-1.$machine.rpm
    [ "$(rpm -qp --nosignature --qf '%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE}' "$rpm")" = "livebuild $version 1 $machine MIT" ] || die "$rpm: $(rpm -qpi "$rpm")"
    rpm -K --nosignature "$rpm" | grep -q 'digests OK' || die "$rpm: $(rpm -K "$rpm")"
    rpm -qp --nosignature --dump "$rpm" | awk '$1 == "/usr/bin/livebuild" { print $4 }' >"$work/sum"
    sha256sum "livebuild-$version-$machine-linux" | cut -d ' ' -f 1 | cmp - "$work/sum"
    rpm -qpl --nosignature "$rpm" | grep -q '^/usr/share/zsh/site-functions/_livebuild$'
    ! rpm -qpR --nosignature "$rpm" | grep -v '^rpmlib(' || die "$rpm needs something"
    rm -rf "$work/deb"
    echo "$package and $rpm are sound"
done

# As apt would.
if [ "$(id -u)" -eq 0 ] && [ "$(dpkg --print-architecture)" = amd64 ]; then
    rm -rf "$work/installed"
    mkdir -p "$work/installed/var/lib/dpkg/info" "$work/installed/var/lib/dpkg/updates" "$work/installed/var/lib/dpkg/triggers"
    : >"$work/installed/var/lib/dpkg/status"
    dpkg --root="$work/installed" --force-not-root --log=/dev/null --install "livebuild_$version-1_amd64.deb" >/dev/null
    "$work/installed/usr/bin/livebuild" --version >/dev/null
    dpkg --root="$work/installed" --log=/dev/null --remove livebuild >/dev/null
    [ ! -e "$work/installed/usr/bin/livebuild" ]
    rm -rf "$work/installed"
    echo "it installs, and goes away"
fi
