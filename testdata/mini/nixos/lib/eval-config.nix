# nixosSystem: a configuration made of modules, as nixpkgs' file of this name makes it.
{
  modules,
  system ? builtins.currentSystem,
}:
let
  lib = import ./.;
  pkgs = import ../../pkgs.nix { inherit system; };
  modulesPath = toString ../modules;

  evaluate =
    modules:
    let
      extendModules = more: evaluate (modules ++ more.modules);
      result = lib.evalModules {
        modules = [ ../modules/base.nix ] ++ modules;
        arguments = {
          inherit
            lib
            pkgs
            modulesPath
            extendModules
            ;
        };
      };
    in
    result
    // {
      inherit lib pkgs extendModules;
      _type = "configuration";
      class = "nixos";
    };
in
evaluate modules
