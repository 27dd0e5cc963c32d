{
  lib,
  stdenv,
  buildGoModule,
  fetchFromGitHub,
  installShellFiles,
  libdeflate,
  lz4,
  nix-update-script,
  nixosTests,
  xz,
}:

buildGoModule rec {
  pname = "livebuild";
  version = "0.1.0";

  src = fetchFromGitHub {
    owner = "livebuild";
    repo = "livebuild";
    rev = "v${version}";
    hash = lib.fakeHash;
  };

  # "make vendor-hash" writes it.
  vendorHash = "sha256-HQoSrxnqNnG/n+M0lrMdN5k8jPobB1jertqzACxVeCY=";

  subPackages = [ "cmd/livebuild" ];

  # A module of its own.
  excludedPackages = [ "cmd/dist" ];

  nativeBuildInputs = [ installShellFiles ];

  buildInputs = [
    libdeflate
    lz4
    xz
  ];

  ldflags = [
    "-s"
    "-w"
    "-X github.com/livebuild/livebuild/internal/cli.release=${version}"
  ];

  # The tests of all packages. What takes root, Nix or QEMU is left out by itself.
  preCheck = ''
    unset subPackages
  '';

  checkFlags = [ "-short" ];

  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    installShellCompletion --cmd livebuild \
      --bash <($out/bin/livebuild completion bash) \
      --fish <($out/bin/livebuild completion fish) \
      --zsh <($out/bin/livebuild completion zsh)
    $out/bin/livebuild man man
    installManPage man/man?/*
  '';

  passthru = {
    tests = {
      inherit (nixosTests) livebuild;
    };
    updateScript = nix-update-script { };
  };

  meta = {
    description = "Turns NixOS configurations into bootable live images";
    homepage = "https://github.com/livebuild/livebuild";
    license = lib.licenses.mit;
    maintainers = [ ];
    mainProgram = "livebuild";
    platforms = lib.platforms.linux;
  };
}
