# What building livebuild and "make test" take.
{
  lib,
  stdenv,
  mkShell,
  linkFarm,
  pkgsStatic,
  # to build
  go,
  libdeflate,
  lz4,
  xz,
  gnumake,
  # to run
  git,
  nix,
  qemu,
  # to judge
  bzip2,
  cdrkit,
  dosfstools,
  e2fsprogs,
  file,
  gptfdisk,
  grub2,
  lvm2,
  mtools,
  openssl,
  squashfs-tools-ng,
  squashfsTools,
  syslinux,
  util-linux,
  xfsprogs,
  xorriso,
  zip,
  zstd,
  # to take the test flake's kernel and boot loaders from Debian
  apt,
  dpkg,
}:

mkShell {
  packages =
    [
      go
      gnumake
      git
      nix
      qemu
      bzip2
      cdrkit
      dosfstools
      e2fsprogs
      file
      gptfdisk
      grub2
      lvm2
      lz4
      mtools
      openssl
      squashfs-tools-ng
      squashfsTools
      util-linux
      xfsprogs
      xorriso
      xz
      zip
      zstd
      apt
      dpkg
      # Its applets would stand in for programs that are judges.
      (linkFarm "busybox" { "bin/busybox" = "${pkgsStatic.busybox}/bin/busybox"; })
    ]
    ++ lib.optional stdenv.hostPlatform.isx86 syslinux;

  buildInputs = [
    libdeflate
    lz4
    xz
  ];
}
