{
  description = "Several NixOS systems, and the live medium that they are installed from";

  # The NixOS that all is made of: this commit of it, until "nix flake update".
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      # A file of the folder hosts has what is special about a system; its name is the host's.
      hosts = map (nixpkgs.lib.removeSuffix ".nix") (builtins.attrNames (builtins.readDir ./hosts));

      host =
        name:
        nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./host.nix
            (./hosts + "/${name}.nix")
            { networking.hostName = name; }
          ];
        };
    in
    {
      nixosConfigurations =
        # The installed systems. On the medium:  nixos-install --flake .#desk
        # Each can be live, too, as it is:       livebuild iso .#desk
        nixpkgs.lib.genAttrs hosts host
        // {
          # The live medium:  livebuild iso .#exampleIso
          # With the hosts themselves beside it, live, a menu for each, and what they share once:
          #   livebuild iso .#exampleIso .#desk .#server --compression zstd:6
          # Or with the hosts to be installed from it, without a network:
          #   livebuild iso .#exampleIso --install .#desk --install .#server
          exampleIso = nixpkgs.lib.nixosSystem {
            modules = [
              ./base.nix
              ./iso.nix
            ];
          };
        };
    };
}
