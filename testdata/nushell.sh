#!/bin/sh
# nushell.sh DIR: put nushell, which no Debian has, into DIR/bin/nu, as its makers publish it by npm.
# Where there is no npm, the test of its completion is left out.
set -eu

version=0.115.1
case $(uname -m) in
x86_64) package=@nushell/linux-x64 ;;
aarch64) package=@nushell/linux-arm64 ;;
*) exit 0 ;;
esac
[ $# -eq 1 ] || {
    echo "usage: nushell.sh DIR" >&2
    exit 1
}
! [ "$("$1/bin/nu" --version 2>/dev/null)" = "$version" ] || exit 0
command -v npm >/dev/null || {
    echo "nushell.sh: npm is missing; the completion of nushell is not tested" >&2
    exit 0
}
mkdir -p "$1/bin"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$1" "$package@$version"
ln -sf "../node_modules/$package/bin/nu" "$1/bin/nu"
