package medium

// Catalog is the file of the medium that says which systems it can install; nixos.ParseCatalog
// reads it.
const Catalog = "livebuild/install.json"

// InstallWord begins a word on the kernel's command line that names the system which livebuild-install,
// of package nixos, is to install.
const InstallWord = "livebuild.install="
