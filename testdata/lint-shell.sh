#!/bin/sh
# lint-shell.sh: has shellcheck look at every shell script of the project.
#
# Some are completed when an image is made: @NAME@ in them becomes a path, or words, and
# has to be one here as well.
set -eu

cd "$(dirname "$0")/.."
status=0
for script in $(git ls-files '*.sh'); do
    if grep -q '@[a-z]\{1,\}@' "$script" && [ "$script" != testdata/lint-shell.sh ]; then
        found=$(sed 's|@\([a-z]\{1,\}\)@|/\1|g' "$script" | shellcheck --format gcc -) || status=1
        printf '%s' "$found" | sed "s|^-:|$script:|"
    else
        shellcheck --format gcc "$script" || status=1
    fi
done
exit $status
