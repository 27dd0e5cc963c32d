// Package store has the formats of the Nix store: the registration that its database
// is written to and read from, closures of store paths, the hash of a Nix archive
// (NAR), the base 32 of hashes, derivations, and the names of store paths. It runs
// nothing, and needs no Nix.
//
// References: the Nix reference manual (nix.dev/manual/nix, editions 2.8 to 2.35),
// chapters "Nix Archive (NAR) Format", "Derivation" and "Store Path", and the sources
// that single places name.
package store
