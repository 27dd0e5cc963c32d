{
  description = "A NixOS system for aarch64, and its live medium";

  # The NixOS that all is made of: this commit of it, until "nix flake update".
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    {
      nixosConfigurations = {
        # The live medium:  livebuild iso .#exampleIso
        exampleIso = nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./iso.nix
          ];
        };

        # The installed system.  On the medium:  nixos-install --flake .#example
        example = nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./host.nix
          ];
        };
      };
    };
}
