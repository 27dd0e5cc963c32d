package medium

// Catalog is the file of the medium that says which systems it can install; nixos.ParseCatalog
// reads it.
const Catalog = "livebuild/install.json"
