#!/bin/bash
# fuzz.sh DURATION: run each fuzz target of the project for so long.
set -eu -o pipefail

duration=$1
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' '^func Fuzz' cmd internal pkg | xargs -n 1 dirname | sort -u | while read -r package; do
    grep -ho '^func Fuzz[A-Za-z0-9]*' "$package"/*_test.go | sed 's/^func //' | while read -r target; do
        echo "== $package $target"
        # Inputs are whole images: the default minute of minimizing each would be all that happens.
        go test "./$package" -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 1s
    done
done
