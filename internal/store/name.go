package store

import (
	"path"
	"strings"
)

// PackageName is the name of a store path without hash and version: up to the
// first dash that no letter follows (builtins.parseDrvName).
func PackageName(storePath string) string {
	_, name, ok := strings.Cut(path.Base(storePath), "-")
	if !ok {
		return path.Base(storePath)
	}
	for i := 0; i+1 < len(name); i++ {
		if c := name[i+1] | 0x20; name[i] == '-' && (c < 'a' || c > 'z') { // lower case
			return name[:i]
		}
	}
	return name
}

// DerivationName returns the name in a store path: "hello-2.12" of
// "/nix/store/<hash>-hello-2.12.drv".
func DerivationName(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if _, name, ok := strings.Cut(base, "-"); ok {
		base = name
	}
	return strings.TrimSuffix(base, ".drv")
}
