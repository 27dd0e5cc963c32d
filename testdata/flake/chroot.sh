#!/bin/sh
# chroot.sh NIXPKGS GO WORK [check]: build the flake's package with Nix, in Nix' sandbox, without
# a network, in a fresh Debian that has Nix and nothing else, and run it.
#
# NIXPKGS is a tree of nixpkgs, GO a folder with a Go, both as they are unpacked. What would come
# from a cache comes from Debian: nixpkgs' own stdenv is given Debian's tools, compiler
# and libraries. The Go modules are those of this machine, in the place of those that
# Nix would fetch: so their hash has to be right. With check, all tests run, too.
#
# WORK keeps the Debian. It needs root, debootstrap, and Go.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
die() {
    echo "chroot.sh: $*" >&2
    exit 1
}
[ $# -ge 3 ] || die "usage: chroot.sh NIXPKGS GO WORK [check]"
nixpkgs=$(cd "$1" && pwd) go=$(cd "$2" && pwd) check=false
[ "${4-}" != check ] || check=true
mkdir -p "$3"
work=$(cd "$3" && pwd)
root=$work/debian

if ! [ -e "$work/complete" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include=nix-bin,libdbi-perl,git,ca-certificates,gcc,libc6-dev,liblzma-dev,libdeflate-dev,liblz4-dev,file,patch,make \
        bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/debootstrap.log" 2>&1 || die "see $work/debootstrap.log"
    touch "$work/complete"
fi

# The sources as git has them, and the modules under the name that they have in the store.
rm -rf "$root/srv/livebuild" "$root/srv/modules" "$root/srv/debian" "$root/nix"
mkdir "$root/srv/livebuild" "$root/srv/modules" "$root/srv/debian"
cd "$here/../.."
git ls-files -z | tar -c --ignore-failed-read --null -T - | tar -x -C "$root/srv/livebuild"
version=$(sed -n 's/^ *version = "\(.*\)";$/\1/p' package.nix)
go mod vendor -o "$root/srv/modules/livebuild-$version-go-modules"

cat >"$root/srv/debian/flake.nix" <<END
{
  inputs.tree = { url = "path:/srv/nixpkgs"; flake = false; };
  inputs.go = { url = "path:/srv/go"; flake = false; };
  outputs = { self, tree, go }:
    let
      lib = import "\${tree}/lib";
      ofDebian = final: name: final.stdenvNoCC.mkDerivation { inherit name; buildCommand = "mkdir \$out"; };
      overlay = final: prev: {
        go = final.stdenvNoCC.mkDerivation {
          pname = "go";
          version = lib.removePrefix "go" (builtins.head (lib.splitString "\n" (builtins.readFile "\${go}/VERSION")));
          buildCommand = "mkdir -p \$out/share; cp -r \${go} \$out/share/go; ln -s share/go/bin \$out/bin";
        } // { GOOS = "linux"; GOARCH = prev.go.GOARCH; CGO_ENABLED = 1; };
        # What fetches Go modules, which are there.
        cacert = ofDebian final "cacert";
        git = ofDebian final "git";
        libdeflate = ofDebian final "libdeflate";
        lz4 = ofDebian final "lz4";
        xz = ofDebian final "xz";
        nix-update-script = _: null;
      };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: import tree {
        inherit system;
        overlays = [ overlay ];
        stdenvStages = { lib, localSystem, crossSystem, config, overlays, crossOverlays ? [ ] }:
          let
            stdenv = import "\${tree}/pkgs/stdenv/generic" {
              name = "stdenv-debian";
              buildPlatform = localSystem;
              hostPlatform = localSystem;
              targetPlatform = localSystem;
              preHook = "export NIX_ENFORCE_PURITY= STRIP=strip RANLIB=ranlib";
              initialPath = [ "/usr" ];
              shell = "/bin/bash";
              cc = null;
              fetchurlBoot = null;
              inherit config;
            };
          in
          [ ({ }: { __raw = true; inherit stdenv; }) (_: { inherit config overlays stdenv; }) ];
      });
    };
}
END
mkdir "$root/srv/debian/use"
cat >"$root/srv/debian/use/flake.nix" <<END
{
  inputs.livebuild.url = "path:/srv/livebuild";
  outputs = { self, livebuild }: {
    packages = builtins.mapAttrs (_: packages: {
      default = packages.default.overrideAttrs { doCheck = $check; };
    }) livebuild.packages;
  };
}
END

cat >"$root/srv/build.sh" <<'END'
set -eu
export HOME=/root GC_DONT_GC=1 NIX_REMOTE=
export NIX_CONFIG="experimental-features = nix-command flakes
substituters =
build-users-group =
sandbox = true
sandbox-fallback = false
sandbox-paths = /bin /lib /lib64 /usr /etc/alternatives
fsync-metadata = false"
nix-store --add-fixed --recursive sha256 /srv/modules/*
nix run path:/srv/debian/use --no-write-lock-file \
    --override-input livebuild/nixpkgs path:/srv/debian -- version
out=$(echo /nix/store/*-livebuild-[0-9]*[0-9])
find "$out" -type f | sed "s|^$out/||" | sort
"$out/bin/livebuild" version
cd /srv/livebuild
test "$("$out/bin/livebuild" init /tmp/flake --git | wc -l)" -gt 3
rm -rf /tmp/flake
END
# A root of its own, not chroot's, in which Linux lets nobody make the namespaces of a sandbox;
# and no network. All of it goes away with the last process.
export root nixpkgs go
exec unshare --mount --pid --net --fork sh -euc '
    mount --make-rprivate /
    mount --bind "$root" "$root"
    cd "$root"
    mkdir -p srv/nixpkgs srv/go srv/outside
    mount -t proc proc proc
    mount --rbind /dev dev
    mount --bind -o ro "$nixpkgs" srv/nixpkgs
    mount --bind -o ro "$go" srv/go
    pivot_root . srv/outside
    umount -l /srv/outside
    exec sh /srv/build.sh
'
