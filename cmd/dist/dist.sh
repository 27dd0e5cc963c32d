#!/bin/sh
# dist.sh OUT CACHE: write to OUT what is released: for x86_64 and aarch64 a static program,
# a .deb and a .rpm, and SHA256SUMS.
#
# The bytes depend on the commit, on Go, and on Debian 12's compilers and libraries, and on
# nothing else of the machine. CACHE keeps the packages with the libraries.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../testdata/debian.sh"

die() {
    echo "dist.sh: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: dist.sh OUT CACHE"
mkdir -p "$1" "$2"
out=$(cd "$1" && pwd)
caches=$(cd "$2" && pwd)
cd "$here/../.."

version=$(sed -n 's/^ *version = "\(.*\)";$/\1/p' package.nix)
[ -n "$version" ] || die "package.nix names no version"
revision=$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain)" ] || revision=$revision-dirty
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# libraries ARCH TRIPLET: unpack the C libraries of an architecture, and print the folder.
libraries() {
    arch=$1 cache=$caches/$1
    complete=$cache/complete
    mkdir -p "$cache"
    if ! [ -s "$complete" ]; then
        bookworm_sources main | read_index
        download liblzma-dev libdeflate-dev liblz4-dev
    fi
    mkdir -p "$work/$arch"
    while read -r package; do
        dpkg-deb -x "$cache/$package" "$work/$arch"
    done <"$complete"
    # Only archives are there to link with.
    rm -f "$work/$arch/usr/lib/$2"/*.so*
}

# program ARCH TRIPLET FILE: build the program. What glibc would load at run time, for names of
# users and hosts, Go does itself.
program() {
    command -v "$2-gcc" >/dev/null || die "$2-gcc is missing (testdata/setup.sh dist)"
    libraries "$1" "$2"
    CGO_ENABLED=1 GOOS=linux GOARCH=$1 CC=$2-gcc GOFLAGS= GOAMD64= GOARM64= \
        CGO_CFLAGS="-O2 -I$work/$1/usr/include" CGO_LDFLAGS="-L$work/$1/usr/lib/$2" \
        go build -trimpath -buildvcs=false -tags netgo,osusergo -o "$3" \
        -ldflags "-s -w -buildid= -linkmode external -extldflags '-static -Wl,--build-id=none' \
            -X github.com/livebuild/livebuild/internal/cli.release=$version \
            -X github.com/livebuild/livebuild/internal/cli.revision=$revision" \
        ./cmd/livebuild
}

# compressed FILE: compress it in its place, the same at any time.
compressed() {
    gzip -9n "$1"
}

rm -f "$out"/livebuild[-_]* "$out/SHA256SUMS"
program amd64 x86_64-linux-gnu "$out/livebuild-$version-x86_64-linux"
program arm64 aarch64-linux-gnu "$out/livebuild-$version-aarch64-linux"

# What packages have beside the program comes from a program that runs here.
go build -buildvcs=false -o "$work/livebuild" ./cmd/livebuild
(cd "$here" && go build -buildvcs=false -o "$work/dist" .)
mkdir -p "$work/share"
for dir in bash-completion/completions fish/vendor_completions.d zsh/vendor-completions zsh/site-functions \
    doc/livebuild licenses/livebuild lintian/overrides; do
    mkdir -p "$work/share/$dir"
done
"$work/livebuild" completion bash >"$work/share/bash-completion/completions/livebuild"
"$work/livebuild" completion fish >"$work/share/fish/vendor_completions.d/livebuild.fish"
"$work/livebuild" completion zsh >"$work/share/zsh/vendor-completions/_livebuild"
cp "$work/share/zsh/vendor-completions/_livebuild" "$work/share/zsh/site-functions/"
"$work/livebuild" man "$work/share/man"
find "$work/share/man" -type f | while read -r page; do compressed "$page"; done
cp LICENSE "$work/share/licenses/livebuild/"
{
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo "Upstream-Name: livebuild"
    echo "Source: https://github.com/livebuild/livebuild"
    echo
    echo "Files: *"
    echo "Copyright:$(sed -n 's/^Copyright *([cC])//p' LICENSE)"
    echo "License: Expat"
    sed -n '/^Permission/,$ { s/^$/./; s/^/ /; p }' LICENSE
} >"$work/share/doc/livebuild/copyright"
{
    echo "livebuild ($version-1) unstable; urgency=medium"
    echo
    echo "  * Release $version, built from $revision."
    echo
    echo " -- The livebuild authors <livebuild@users.noreply.github.com>  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} >"$work/share/doc/livebuild/changelog.Debian"
compressed "$work/share/doc/livebuild/changelog.Debian"
cat >"$work/share/lintian/overrides/livebuild" <<'END'
# One program that runs on any Linux, with the libraries that the bytes of an image depend on.
livebuild: statically-linked-binary
livebuild: embedded-library
livebuild: initial-upload-closes-no-bugs
END

for arch in amd64 arm64; do
    case $arch in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    esac
    root=$work/root-$arch
    mkdir -p "$root/usr/bin"
    cp "$out/livebuild-$version-$machine-linux" "$root/usr/bin/livebuild"
    cp -R "$work/share" "$root/usr/"
    "$work/dist" -root "$root" -version "$version" -arch "$arch" -epoch "$SOURCE_DATE_EPOCH" -o "$out" >/dev/null
done
cd "$out"
sha256sum livebuild[-_]* >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
cat SHA256SUMS
