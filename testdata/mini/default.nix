# The package set for any platform, as 'import nixpkgs' gives it.
{
  system ? builtins.currentSystem,
  config ? { },
  overlays ? [ ],
}:
import ./pkgs.nix { inherit system; }
