{
  description = "Turns NixOS configurations into bootable live images";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      forAllSystems =
        f:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: f (nixpkgs.legacyPackages.${system}.extend self.overlays.default));

      # The Go that go.mod asks for, as "1.26.0".
      goVersion = builtins.head (builtins.match ".*\ngo ([0-9.]+)\n.*" (builtins.readFile ./go.mod));

      # nixpkgs' own Go, or, where that is older than asked for, the one that has its number.
      goFor =
        pkgs:
        let
          numbered = "go_" + builtins.replaceStrings [ "." ] [ "_" ] (lib.versions.majorMinor goVersion);
        in
        lib.findFirst (go: lib.versionAtLeast go.version goVersion)
          (throw ''
            livebuild needs Go ${goVersion}, and this nixpkgs (${lib.trivial.release}) has ${pkgs.go.version}.
            Let it follow a newer one, as inputs.livebuild.inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable" does.'')
          ([ pkgs.go ] ++ lib.optional (pkgs ? ${numbered}) pkgs.${numbered});

      # The commit, of twelve digits, as "livebuild version" prints it.
      revision =
        if self ? rev then
          builtins.substring 0 12 self.rev
        else if self ? dirtyRev then
          builtins.substring 0 12 self.dirtyRev + "-dirty"
        else
          "";

      packageFor =
        pkgs:
        (pkgs.callPackage ./package.nix {
          buildGoModule = pkgs.buildGoModule.override { go = goFor pkgs; };
          fetchFromGitHub = _: self;
          nixosTests.livebuild = pkgs.testers.runNixOSTest ./nix/test;
        }).overrideAttrs
          (old: {
            ldflags = old.ldflags ++ [
              "-X github.com/livebuild/livebuild/internal/cli.revision=${revision}"
            ];
          });
    in
    {
      packages = forAllSystems (pkgs: {
        inherit (pkgs) livebuild;
        default = pkgs.livebuild;
      });

      apps = forAllSystems (pkgs: rec {
        livebuild = {
          type = "app";
          program = lib.getExe pkgs.livebuild;
          meta.description = "Turns NixOS configurations into bootable live images";
        };
        default = livebuild;
      });

      overlays.default = final: _prev: { livebuild = packageFor final; };

      nixosModules = rec {
        livebuild = import ./nix/module.nix self;
        default = livebuild;
      };

      devShells = forAllSystems (pkgs: {
        default = pkgs.callPackage ./nix/shell.nix { go = goFor pkgs; };
      });

      checks = forAllSystems (pkgs: {
        package = pkgs.livebuild;
        # As it is where there are no C libraries: with codecs in Go, and without xz.
        without-cgo = pkgs.livebuild.overrideAttrs { preBuild = "export CGO_ENABLED=0"; };
        nixos = pkgs.livebuild.tests.livebuild;
        format = pkgs.callPackage ./nix/format.nix {
          go = goFor pkgs;
          src = self;
        };
      });

      # "nix fmt" is for what Nix reads.
      formatter = forAllSystems (pkgs: pkgs.nixfmt-tree or pkgs.nixfmt-rfc-style);

      templates =
        let
          templates = import ./internal/template;
        in
        templates // { default = templates.minimal; };
    };
}
