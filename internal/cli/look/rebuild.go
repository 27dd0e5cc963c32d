package look

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/comparison"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/report"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/internal/stamp"
	"github.com/livebuild/livebuild/internal/verify"
)

// flakeSchemes begin a reference to a flake (Nix manual, "nix flake"), and no store's.
var flakeSchemes = regexp.MustCompile(`^(path|git|git\+[a-z]+|github|gitlab|sourcehut|tarball|tarball\+[a-z]+|file\+[a-z]+|hg\+[a-z]+|flake):`)

// namesFlake tells what is evaluated from a store of Nix: it has a name behind '#', is a folder with
// a flake, or has the scheme of one.
func namesFlake(text string) bool {
	if strings.Contains(text, "#") || flakeSchemes.MatchString(text) {
		return true
	}
	_, err := os.Stat(filepath.Join(text, "flake.nix"))
	return err == nil
}

// elsewhere says what is known of the store paths apart from the medium.
func (v *verifying) elsewhere(ctx context.Context, m *medium.Medium) (*verify.Elsewhere, error) {
	if slices.ContainsFunc(v.options.against, namesFlake) || v.options.OfFile() {
		return v.evaluated(ctx)
	}
	image, err := m.Store()
	if err != nil {
		return nil, fmt.Errorf("--against: %w", err)
	}
	registered, err := image.Registration()
	if err != nil {
		return nil, fmt.Errorf("--against: reading the registration: %w", err)
	}
	flags, _, err := nix.ParseFlags([]string{"--store", v.options.against[0]})
	if err != nil {
		return nil, face.Usage(err)
	}
	n, err := nix.Find(ctx, nix.Options{Env: os.Environ(), Flags: flags})
	if err != nil {
		return nil, err
	}
	closure, err := n.Closure(ctx, registered.Roots())
	return &verify.Elsewhere{Closure: closure}, err
}

// evaluated is what a fresh evaluation says that the medium must hold. Its hashes are those of this
// machine's store, as far as it was built here.
func (v *verifying) evaluated(ctx context.Context) (_ *verify.Elsewhere, err error) {
	of, err := v.options.ParseAll(v.options.against)
	if err != nil {
		return nil, err
	}
	b, err := v.options.Build(ctx, v.app.App, of, image.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Evaluate(ctx); err != nil {
		return nil, err
	}
	known, err := b.Known(ctx)
	return &verify.Elsewhere{Closure: known, Roots: b.Plan().StoreContents()}, err
}

// unlockedError says that an image does not tell where its configuration is had from.
type unlockedError struct {
	path   string
	reason string
}

func (e *unlockedError) Error() string {
	return fmt.Sprintf("%s cannot be rebuilt by what it says of itself: %s", e.path, e.reason)
}

// ofManifest are the configurations that the image says it was made of.
func (v *verifying) ofManifest(m *medium.Medium) (all []installable.Installable, err error) {
	paper, err := m.Manifest()
	if err != nil {
		return nil, &unlockedError{v.path, "it " + err.Error()}
	}
	for _, c := range paper.Configurations() {
		switch {
		case c.Flake == nil:
			return nil, &unlockedError{v.path, "its configuration is that of a file, outside of flakes"}
		case c.Flake.Reference == "":
			return nil, &unlockedError{v.path, "its flake is had from a folder of one machine"}
		}
		of, err := installable.Parse(c.Flake.Reference + "#" + c.Name)
		if err != nil {
			return nil, &unlockedError{v.path, err.Error()}
		}
		all = append(all, of)
	}
	return all, nil
}

// rebuild builds the image from its configuration and holds it against the medium. What flags do
// not say is as the image says that it was made.
func (v *verifying) rebuild(ctx context.Context, m *medium.Medium) (err error) {
	of := v.options.configurations
	if v.options.fromMedium {
		if of, err = v.ofManifest(m); err != nil {
			return err
		}
	}
	images := image.Options{Plain: true}
	with := comparison.Image{ReaderAt: stamp.AsBuilt(m), Size: verify.ImageSize(m)}
	var taken *secureboot.Taken
	if paper, err := m.Manifest(); err == nil {
		if err := v.options.Like(paper, &images); err != nil {
			return &unlockedError{v.path, err.Error()}
		}
		if how := paper.Changes.SecureBoot; how != nil {
			if taken, with.Except, err = signatures(m); err != nil {
				return err
			}
			v.options.TakeSignatures(*how, taken)
		}
	}
	b, err := v.options.Build(ctx, v.app.App, of, images)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.EvaluateToPack(ctx); err != nil {
		return err
	}
	err = b.Compare(ctx, with, build.PackOptions{Workers: v.options.jobs})
	different, ok := errors.AsType[*comparison.DifferenceError](err)
	if !ok {
		if v.result.Rebuilt = err == nil; v.result.Rebuilt && taken != nil {
			v.result.Sealed = report.NewSealed(taken)
		}
		return err
	}
	var names []string
	for _, one := range of {
		names = append(names, one.String())
	}
	at := verify.Locate(ctx, m, different.Offset)
	return v.found(verify.Finding{
		Structure: at.Structure, Offset: different.Offset, StorePath: at.StorePath, File: at.File,
		Err: fmt.Errorf("%s has other bytes from here on", strings.Join(names, " ")),
	})
}

// signatures is what an image has that only the keys make by which it was signed. In the place of a signature that was
// replaced when something was stamped, what is there now is taken, and the sums of that, which the image has
// as it was built, are excepted from what is compared.
func signatures(m *medium.Medium) (taken *secureboot.Taken, except []index.Piece, err error) {
	replaced, err := stamp.Signatures(m)
	if err != nil {
		return nil, nil, err
	}
	var later []string
	for _, p := range replaced {
		later = append(later, strings.TrimSuffix(p.Name, medium.SignatureSuffix))
	}
	if taken, err = secureboot.Take(m, later); err != nil || len(later) == 0 {
		return taken, nil, err
	}
	x, err := index.Read(m.ReaderAt(), m.Size)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range replaced {
		except = append(except, x.SumsOf(index.Piece{Offset: p.Offset, Size: int64(len(p.Data))})...)
	}
	return taken, except, nil
}
