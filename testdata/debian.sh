# debian.sh: packages of Debian for the scripts that take something from them.
#
# To be sourced by a POSIX shell whose errors end the script. The functions work in $cache,
# an existing folder given by its absolute path, for the architecture $arch. Neither root nor
# a change to the machine's own apt and dpkg state is needed.
#
# The mirror is DEBIAN_MIRROR, or what the machine's own apt takes Debian from; its keys are
# in DEBIAN_KEYRING, or where Debian has them.
#
# shellcheck shell=sh disable=SC2154 # the callers give cache, arch and complete values

keyring=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# private_apt COMMAND...: apt-get or apt-cache with its own lists, status and sources.
private_apt() {
    tool=$1
    shift
    "$tool" -qq \
        -o Dir::State="$cache/state" -o Dir::State::status="$cache/status" \
        -o Dir::Cache="$cache/apt" \
        -o Dir::Etc::sourcelist="$cache/sources.list" -o Dir::Etc::sourceparts=- \
        -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        "$@"
}

# bookworm_sources COMPONENT...: the lines of sources.list for Debian 12.
bookworm_sources() {
    if [ -n "${DEBIAN_MIRROR-}" ]; then
        echo "deb [signed-by=$keyring] $DEBIAN_MIRROR bookworm $*"
        return
    fi
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sort -u | while read -r uri release component; do
        case $release in
        bookworm | bookworm-updates | bookworm-security)
            [ "$component" != main ] || echo "deb [signed-by=$keyring] $uri $release $*"
            ;;
        esac
    done
}

# sibling_sources SUITE: the lines of sources.list for another suite of the same mirror.
sibling_sources() {
    bookworm_sources main | sed -n "s/ bookworm main\$/ $1 main/p" | head -n 1
}

# read_index: read what the mirror has, by the lines of sources.list on standard input.
read_index() {
    [ -r "$keyring" ] || die "$keyring is missing (package debian-archive-keyring; elsewhere name the file in DEBIAN_KEYRING)"
    mkdir -p "$cache/state/lists/partial" "$cache/apt/archives/partial"
    : >"$cache/status"
    cat >"$cache/sources.list"
    [ -s "$cache/sources.list" ] || die "this machine's apt knows no mirror of Debian 12: name one in DEBIAN_MIRROR"
    private_apt apt-get update
}

# kernel_package: the kernel of the day, which the meta package names: older ones leave the mirror.
kernel_package() {
    kernel=$(private_apt apt-cache depends "linux-image-$arch" |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$kernel" ] || die "linux-image-$arch names no kernel package"
    echo "$kernel"
}

# download PACKAGE...: fetch packages into $cache, and write the list of their files, last, to $complete.
download() {
    rm -f "$cache"/*.deb
    (cd "$cache" && private_apt apt-get download "$@")
    (cd "$cache" && ls ./*.deb) >"$complete.new"
    mv "$complete.new" "$complete"
}
