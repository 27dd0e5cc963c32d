package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/trial"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

func TestHintFor(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nix.ErrNotFound, "nixos.org/download"},
		{&trial.TooLargeError{Among: 1, Fits: &trial.Size{Compression: codec.Settings{Name: codec.XZ}, Bytes: 7e9}}, "--compression xz makes about 7.0 GB"},
		{&trial.TooLargeError{Among: 6}, "no compression makes it smaller"},
		{&trial.TooLargeError{Among: 6, Chosen: trial.Chosen{By: trial.ByImage}}, "no compression makes it smaller"},
		{&trial.TooLargeError{Among: 1, Chosen: trial.Chosen{By: trial.ByImage}}, "--compression auto"},
		{&trial.TooLargeError{Among: 1}, "no other compression does"},
		{fmt.Errorf("looking for Nix: %w", nix.ErrNotFound), "nixos.org/download"},
		{errors.Join(errors.New("closing"), &nix.TooOldError{}), "newer Nix"},
		{&nixos.NoConfigurationError{Name: "a"}, "define nixosConfigurations.NAME"},
		{&nixos.NoConfigurationError{Name: "mimi", Names: []string{"mini"}, Near: true}, "did you mean mini?"},
		{&nixos.NoConfigurationError{Name: "x", Names: []string{"my host"}}, "as in '.#my host'"},
		{&nixos.NoConfigurationError{Name: "packages.x", Names: []string{"it's"}, Output: "packages"}, `'.#it'\''s'`},
		{&nixos.SeveralConfigurationsError{Names: []string{"a"}}, "name one: .#a, or --file FILE a"},
		{&nix.Error{Kind: nix.KindUntrackedFile, Repository: "/my repo", File: "a b.nix"}, "git -C '/my repo' add --intent-to-add 'a b.nix'"},
		{&nix.Error{Kind: nix.KindOwner, Repository: "/my repo/"}, "safe.directory '/my repo'"},
		{&nix.Error{Kind: nix.KindOwner}, "git's safe.directory"},
		{&nix.Error{Kind: nix.KindSubmodule, Reference: ".?submodules=1"}, "'.?submodules=1#NAME'"},
		{&nix.Error{Kind: nix.KindOther}, "--show-trace"},
		{&nix.BuildError{Kind: nix.KindBuild, LogCommand: []string{"nix-store", "--read-log", "x", "--store", "/a b"}}, "nix-store --read-log x --store '/a b'"},
		// Wrong usage wraps what is wrong, on which there can be better advice.
		{face.Usage(fmt.Errorf("--compression: %w", &codec.SettingsError{})), "lz4, gzip, zstd and xz"},
		{face.Usage(fmt.Errorf("--volume-id: %w", &nixos.VolumeIDError{})), "at most 32 letters"},
		{face.Usage(&device.TwiceError{}), "'livebuild --help'"},
		{face.Usage(errors.New("anything")), "'livebuild --help'"},
		// The system comes last.
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "make room"},
		{errors.New("anything"), "-v shows"},
	} {
		if got := hintFor(test.err); !strings.Contains(got, test.want) {
			t.Errorf("the hint on %#v is %q, want %q", test.err, got, test.want)
		}
	}
}

// TestKindHints checks that there is advice on every kind of an error of Nix, but for
// those of which nothing is known.
func TestKindHints(t *testing.T) {
	unknown := hintFor(&nix.Error{Kind: nix.KindOther})
	for kind := nix.KindOther + 1; kind < nix.KindBuild; kind++ {
		got := hintFor(&nix.Error{Kind: kind})
		if (got == unknown) != (kind == nix.KindAssertion || kind == nix.KindOption || kind == nix.KindSyntax) {
			t.Errorf("the hint on kind %d is %q", kind, got)
		}
	}
}
