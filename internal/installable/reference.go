package installable

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// flakeFolder returns the folder if ref names the file flake.nix in it, which
// Nix accepts only since 2.21, and "." for an empty reference, which Nix 2.8
// and Lix refuse.
func flakeFolder(ref string) string {
	folder, query, hasQuery := strings.Cut(ref, "?")
	if !strings.Contains(folder, ":") && path.Base(folder) == "flake.nix" {
		if folder = path.Dir(folder); !startsAsPath(folder) {
			folder = "./" + folder
		}
	}
	if folder == "" {
		folder = "."
	}
	if hasQuery {
		return folder + "?" + query
	}
	return folder
}

// realFolder follows the links that lead to the flake of a local reference: Nix
// takes no link for a folder, nor does it read a flake.nix outside of the folder.
// /etc/nixos, or the flake.nix in it, often is a link into a repository, and
// nixos-rebuild follows both.
func realFolder(ref string) string {
	location, query, hasQuery := strings.Cut(ref, "?")
	scheme, folder, ok := cutLocal(location)
	if !ok {
		return ref
	}
	real, linked := folder, false
	if info, err := os.Lstat(filepath.Clean(folder)); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if real, err = filepath.EvalSymlinks(folder); err != nil {
			return ref
		}
		linked = true
	}
	if file, err := filepath.EvalSymlinks(filepath.Join(real, "flake.nix")); err == nil && filepath.Base(file) == "flake.nix" {
		if outside(real, file) {
			real, linked = filepath.Dir(file), true
		}
	}
	if !linked {
		return ref
	}
	real, err := filepath.Abs(real)
	if err != nil {
		return ref
	}
	if scheme != "" {
		if strings.HasPrefix(location, scheme+"//") {
			scheme += "//"
		}
		real = scheme + (&url.URL{Path: real}).EscapedPath()
	}
	if hasQuery {
		real += "?" + query
	}
	return real
}

// outside reports whether a real file is not below a folder, nor below another one
// of the git work tree that the folder is in: there links work.
func outside(folder, file string) bool {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	if real, err = filepath.Abs(real); err != nil {
		return false
	}
	if file, err = filepath.Abs(file); err != nil {
		return false
	}
	for dir := real; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			real = dir
			break
		}
	}
	return !strings.HasPrefix(file, strings.TrimSuffix(real, "/")+"/")
}

// localSchemes are those of references to folders of this machine.
var localSchemes = []string{"git+file:", "path:"}

// cutLocal cuts the scheme off a reference without its query, and reports whether
// it means a folder on this machine.
func cutLocal(location string) (scheme, folder string, ok bool) {
	i := slices.IndexFunc(localSchemes, func(s string) bool { return strings.HasPrefix(location, s) })
	if i < 0 {
		return "", location, startsAsPath(location)
	}
	scheme = localSchemes[i]
	folder = strings.TrimPrefix(strings.TrimPrefix(location, scheme), "//")
	if decoded, err := url.PathUnescape(folder); err == nil {
		folder = decoded
	}
	return scheme, folder, true
}

// Folder returns the absolute name of the folder on this machine that the
// reference means, and whether it means one.
func (i Installable) Folder() (string, bool) {
	ref, _, _ := strings.Cut(i.Ref, "?")
	_, folder, ok := cutLocal(ref)
	if !ok {
		return "", false
	}
	folder, err := filepath.Abs(folder)
	return folder, err == nil
}

// startsAsPath reports whether Nix takes ref for a path. A bare word is the
// name of a registry entry.
func startsAsPath(ref string) bool {
	return strings.HasPrefix(ref, ".") || strings.HasPrefix(ref, "/")
}

// WithSubmodules returns a reference to the same flake with its git submodules,
// unless ref asks for them already.
func WithSubmodules(ref string) (string, bool) {
	location, query, _ := strings.Cut(ref, "?")
	params, err := url.ParseQuery(query)
	if err != nil || params.Get("submodules") == "1" {
		return "", false
	}
	if query != "" {
		query += "&"
	}
	return location + "?" + query + "submodules=1", true
}
