#!/bin/bash
# demo.sh LIVEBUILD FLAKE: write the image of the mini flake and boot it in every way that
# it can start a machine. The live system checks its own store and says so.
set -eu -o pipefail

livebuild=$1 flake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== livebuild iso path:$flake#mini"
image=$("$livebuild" iso "path:$flake#mini" -o "$work/")

echo "== livebuild test ${image##*/}"
"$livebuild" test "$image" --expect '^MINI-RESULT PASS' --reject '^MINI-(RESULT FAIL|FAIL )' \
    --logs "$work/logs" --junit "$work/report.xml"
grep -h '^MINI-RESULT' "$work"/logs/*.log
