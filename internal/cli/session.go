package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// planOptions are the flags of what plans one image.
type planOptions struct {
	configurationOptions
	compression string
	json        bool
}

func (o *planOptions) addFlags(cmd *cobra.Command) {
	o.addBuildFlags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
}

// addBuildFlags adds those that matter whatever becomes of the image.
func (o *planOptions) addBuildFlags(cmd *cobra.Command) {
	o.configurationOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.compression, "compression", "",
		"compress the store with `CODEC`: none, lz4, gzip, zstd or xz, with a level as in zstd:19, or mksquashfs' words (default: what the configuration says)")
}

// session is the way of one configuration from its name to what it is packed
// from.
type session struct {
	app         *app
	nix         *nix.Nix
	installable nix.Installable
	changes     nixos.Changes
	options     image.Options
	store       nix.Store      // of what is packed, after findStore
	plan        *image.Plan    // after evaluate
	roots       *nix.Roots     // of what is built, from build to close
	task        *progress.Task // that Nix is at work for, or nil

	evaluating, building time.Duration // how long it took
}

// open checks everything that can be checked before the evaluation.
func (a *app) open(ctx context.Context, args []string, opts planOptions) (*session, error) {
	s := &session{app: a}
	var err error
	if s.installable, err = parseInstallable(args, opts.file); err != nil {
		return nil, &usageError{err}
	}
	if s.changes, err = opts.changes(); err != nil {
		return nil, err
	}
	flags := a.nixFlags
	if len(s.changes.Modules) > 0 { // files that the flake does not pin
		flags = flags.With("impure")
	}
	if opts.compression != "" {
		settings, err := codec.Parse(opts.compression)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--compression: %w", err)}
		}
		s.options.Compression = &settings
	}
	if s.options.Epoch, err = image.EpochFromEnvironment(); err != nil {
		return nil, err
	}
	s.nix, err = nix.Find(ctx, nix.Options{
		Flags:    flags,
		Progress: s.nixProgress,
		Message:  s.nixMessage,
	})
	return s, err
}

// evaluated is a session whose plan is made, and can be packed on this machine.
func (a *app) evaluated(ctx context.Context, args []string, opts planOptions) (*session, error) {
	s, err := a.open(ctx, args, opts)
	if err != nil {
		return nil, err
	}
	if err := s.findStore(ctx); err != nil {
		return nil, err
	}
	return s, s.evaluateToPack(ctx)
}

// findStore finds out where the files of the store are, and that they are on
// this machine. A plan does not need them.
func (s *session) findStore(ctx context.Context) (err error) {
	s.store, err = s.nix.Store(ctx)
	return err
}

// evaluateToPack evaluates the configuration and finds out whether this program
// can pack its image.
func (s *session) evaluateToPack(ctx context.Context) error {
	if err := s.evaluate(ctx); err != nil {
		return err
	}
	return s.plan.Check()
}

// evaluate evaluates the configuration and decides what its image will be.
func (s *session) evaluate(ctx context.Context) error {
	console := s.app.console
	return s.do("evaluating", s.installable.String(), &s.evaluating, func() (string, error) {
		system, err := nixos.Evaluate(ctx, s.nix, s.installable, s.changes)
		if err != nil {
			return "", err
		}
		if system.Extended {
			console.line(system.Name + " does not import the ISO module and is made live with it; --no-live refuses that")
		}
		for _, w := range system.Warnings {
			console.warn(w)
		}
		if s.plan, err = image.NewPlan(system, s.options); err != nil {
			return "", err
		}
		return fmt.Sprintf("evaluated %s: %s, %s", system.Name, system.Platform, system.VolumeID), nil
	})
}

// do runs a step in which Nix is at work, and measures it.
func (s *session) do(name, of string, took *time.Duration, step func() (string, error)) error {
	started := time.Now()
	_, err := progress.Do(s.app.console, name, of, func(t *progress.Task) (string, error) {
		s.task = t
		defer func() { s.task = nil }()
		return step()
	})
	*took = time.Since(started)
	return err
}

// nixMessage passes on what Nix says, as far as it is to be seen.
func (s *session) nixMessage(m nix.Message) {
	switch {
	case m.Level == nix.LevelWarning:
		// Of a download that is tried again, Nix says "error: …; retrying".
		s.app.console.warn(strings.TrimPrefix(m.Text, "error: "))
	case m.Level == nix.LevelError:
		// Comes back as the error of the run.
	case m.Level == nix.LevelNotice, s.app.console.verbose && m.Level <= nix.LevelTalkative:
		s.app.console.line(m.Text)
	}
}

// nixProgress passes on how far Nix is.
func (s *session) nixProgress(p nix.Progress) {
	if s.task == nil {
		return
	}
	switch p.Phase {
	case nix.Evaluating:
		s.task.Moved("", progress.Count{Of: progress.Files, Done: int64(p.Files)})
	case nix.Building:
		text := ""
		if len(p.Jobs) > 0 {
			if text = p.Jobs[0].Name; p.Jobs[0].Line != "" {
				text += "> " + p.Jobs[0].Line
			}
		}
		s.task.Moved(text,
			progress.Count{Of: progress.Builds, Done: p.Builds.Done, Total: p.Builds.Expected},
			progress.Count{Of: progress.Paths, Done: p.Paths.Done, Total: p.Paths.Expected},
			progress.Count{Of: progress.Downloads, Done: p.Downloads.Done, Total: p.Downloads.Expected})
	}
}

// build realises what the plan needs and reads its closure. What is built is
// protected from garbage collection until close.
func (s *session) build(ctx context.Context) (image.Sources, error) {
	if err := s.checkPlatform(ctx); err != nil {
		return image.Sources{}, err
	}
	if err := s.protect(); err != nil {
		return image.Sources{}, err
	}
	var closure *nix.Closure
	build := func(link string) error {
		return s.do("building", "", &s.building, func() (string, error) {
			err := s.realise(ctx, link)
			if err != nil {
				return "", err
			}
			if closure, err = s.nix.Closure(ctx, s.plan.System.StoreContents); err != nil {
				return "", err
			}
			return fmt.Sprintf("built %s, %s", count(len(closure.Paths), "store path"), size(closure.NarSize())), nil
		})
	}
	err := build("root")
	if nix.KindOf(err) == nix.KindVanished {
		// Nothing protects a derivation between its evaluation and now.
		if err := s.evaluate(ctx); err != nil {
			return image.Sources{}, err
		}
		err = build("again")
	}
	return image.Sources{Store: s.store, Closure: closure}, err
}

// prepare prepares the packing of what was built, from an earlier image as
// --reuse says, in place of which the new one may come. Reading that one takes
// several workers, 0 for one for each processor.
func (s *session) prepare(ctx context.Context, src image.Sources, mode, output string, workers int) (*image.Packing, *reuse, error) {
	if err := s.plan.CheckKernels(src.Store); err != nil {
		progress.Warn(s.app.console, err)
	}
	reuse, err := s.openEarlier(ctx, mode, output, src, workers)
	if err != nil {
		return nil, nil, err
	}
	packing, err := s.plan.Prepare(ctx, src, reuse.earlier)
	if err != nil {
		return nil, nil, errors.Join(err, reuse.earlier.Close())
	}
	return packing, reuse, nil
}

// protect makes a place for links to what is built, if there is none yet.
func (s *session) protect() (err error) {
	if s.roots == nil {
		s.roots, err = nix.NewRoots(userCache())
	}
	return err
}

// userCache is the folder for what can be made again.
func userCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("livebuild-%d", os.Getuid()))
	}
	return cache
}

// realise builds what the plan needs.
func (s *session) realise(ctx context.Context, link string) error {
	targets, err := s.targets(ctx)
	if err != nil {
		return err
	}
	_, err = s.nix.Realise(ctx, targets, s.roots.Link(link))
	return err
}

// targets are what the plan needs. Of a root that is a derivation, all that it is
// built from is needed, which its evaluation does not tell.
func (s *session) targets(ctx context.Context) ([]nix.Target, error) {
	var derivations []string
	for _, root := range s.plan.System.StoreContents {
		if strings.HasSuffix(root, ".drv") {
			derivations = append(derivations, root)
		}
	}
	all, err := s.nix.BuildDependencies(ctx, derivations)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, t := range all {
		seen[t.Path] = true
	}
	for _, t := range s.plan.Realise {
		if !seen[t.Path] {
			all = append(all, t)
		}
	}
	return all, nil
}

// close lets the garbage collector have what was built.
func (s *session) close() error {
	if s.roots == nil {
		return nil
	}
	return s.roots.Close()
}

// warnInsideFlake warns about an image in the folder of a flake that is not a
// git repository: Nix copies such a folder whole into its store, image and
// all, at every evaluation.
func (s *session) warnInsideFlake(path string) {
	folder, ok := s.installable.Folder()
	if !ok {
		return
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	for dir := folder; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if strings.HasPrefix(path, folder+"/") {
		s.app.console.warn("the image goes into the folder of the flake, which is not a git repository: " +
			"from then on Nix copies it to its store with the flake; -o puts it elsewhere")
	}
}
