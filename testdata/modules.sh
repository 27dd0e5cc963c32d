# modules.sh: kernel modules of Debian's packages, for the scripts that lay out a system with them.
#
# To be sourced by a POSIX shell whose errors end the script.
#
# shellcheck shell=sh

# module_file NAME: the file of a kernel module in the current directory; nothing if there is none.
module_file() {
    find . -name "$(echo "$1" | sed 's/[-_]/[-_]/g').ko" | head -n 1
}

# copy_module NAME DIR: copy a module and all it depends on, as its .modinfo section says.
copy_module() {
    file=$(module_file "$1")
    [ -n "$file" ] && [ ! -e "$2/$file" ] || return 0
    mkdir -p "$2/$(dirname "$file")"
    cp "$file" "$2/$file"
    for needed in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' '); do
        copy_module "$needed" "$2"
    done
}

# copy_modules UNPACKED ROOT LIST...: copy the modules that lists name from UNPACKED/lib/modules to
# ROOT/lib/modules, which is of one kernel each. Sets version and modules, the folder of them.
copy_modules() {
    from=$1 modules=$2
    shift 2
    version=$(ls "$from/lib/modules")
    modules=$modules/lib/modules/$version
    mkdir -p "$modules"
    (
        cd "$from/lib/modules/$version" || exit 1
        cp modules.builtin modules.order "$modules/"
        for name in $(cat "$@" | sed 's/#.*//'); do
            copy_module "$name" "$modules"
        done
    )
}
