# Whether Go and Nix files are formatted.
{
  lib,
  pkgs,
  runCommand,
  go,
  src,
}:
let
  # The formatter's name up to NixOS 25.05, and since.
  nixfmt = if lib.versionAtLeast lib.trivial.release "25.11" then pkgs.nixfmt else pkgs.nixfmt-rfc-style;
in
runCommand "livebuild-format"
  {
    nativeBuildInputs = [
      go
      nixfmt
    ];
  }
  ''
    cd ${src}
    unformatted=$(gofmt -l cmd internal pkg)
    test -z "$unformatted" || { echo "gofmt would change: $unformatted"; exit 1; }
    nixfmt --check flake.nix package.nix nix/*.nix internal/template/*.nix internal/template/*/*.nix
    touch $out
  ''
