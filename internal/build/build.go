// Package build takes configurations, as a rule one, on their way to an image: it has Nix evaluate
// and build it, chooses what an earlier image has already, and packs. Where the
// image goes, a [Target] decides: to a file, onto disks, or into a file that is gone
// afterwards. What happens on the way, a progress sink is told.
package build

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/decompressor"
	"github.com/livebuild/livebuild/internal/evalcache"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/storefs"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Options say how a configuration is built.
type Options struct {
	Nix     nix.Flags // that the user passes through
	Env     []string  // of Nix, all of it
	Changes nixos.Changes
	Image   image.Options
	Cache   string        // livebuild's folder for what can be made again
	Afresh  bool          // evaluate whatever is known of an earlier evaluation
	Sink    progress.Sink // nil: nobody is told
	Verbose bool          // pass on what Nix says about its work
	Version string        // of the program, which the manifest of an image names
}

// Build is configurations on their way. It is not safe for concurrent use.
type Build struct {
	options      Options
	installables []installable.Installable // that the systems of the plan are of
	nix          *nix.Nix

	plan     *image.Plan    // after Evaluate
	flakes   [][]byte       // their metadata as JSON, after EvaluateToPack; nil of a file
	installs []nixos.Target // that the medium installs, in the order of the changes
	packs    bool           // a manifest will be wanted
	store    *nix.Store     // of what is packed, after FindStore
	roots    *nix.Roots     // of what is built, until Close
	files    []*storefs.FS  // likewise
	built    *image.Sources // of Realise

	sources *image.Sources // that were packed, or nil

	task  *progress.Task // that Nix is at work for, or nil
	times Times
}

// Times are how long steps took.
type Times struct{ Evaluate, Build, Pack time.Duration }

// New begins with the configurations that are to be on a medium. It looks for Nix, and does nothing yet.
func New(ctx context.Context, of []installable.Installable, opts Options) (*Build, error) {
	if opts.Sink == nil {
		opts.Sink = progress.Discard
	}
	flags := opts.Nix
	if len(opts.Changes.Modules) > 0 { // files that the flake does not pin
		flags = flags.With("impure")
	}
	b := &Build{options: opts, installables: of}
	var err error
	b.nix, err = nix.Find(ctx, nix.Options{Env: opts.Env, Flags: flags, Progress: b.moved, Message: b.said})
	return b, err
}

// Plan is what the image will be, after Evaluate.
func (b *Build) Plan() *image.Plan { return b.plan }

// FindStore finds out where the files of the store are, and that they are on this
// machine. A plan does not need them.
func (b *Build) FindStore(ctx context.Context) error {
	store, err := b.nix.Store(ctx)
	b.store = &store
	return err
}

// EvaluateToPack evaluates the configuration and finds out whether its image can
// be packed here.
func (b *Build) EvaluateToPack(ctx context.Context) error {
	if b.store == nil {
		if err := b.FindStore(ctx); err != nil {
			return err
		}
	}
	b.packs = true
	if err := b.Evaluate(ctx); err != nil {
		return err
	}
	return b.plan.Check()
}

// Evaluate evaluates the configuration and decides what its image will be.
func (b *Build) Evaluate(ctx context.Context) error {
	known := evalcache.In(b.options.Cache)
	if b.options.Afresh {
		known = evalcache.Cache{}
	}
	return b.evaluate(ctx, known)
}

// evaluate does so, unless the result is known.
func (b *Build) evaluate(ctx context.Context, known evalcache.Cache) error {
	names := make([]string, len(b.installables))
	for i, of := range b.installables {
		names[i] = of.String()
	}
	_, err := step(b, "evaluating", strings.Join(names, " "), &b.times.Evaluate, func() (Evaluated, error) {
		systems, err := nixos.EvaluateAll(ctx, b.nix, b.installables, b.options.Changes, known)
		if err != nil {
			return Evaluated{}, err
		}
		b.tell(systems)
		if b.installs, err = nixos.AddTargets(ctx, b.nix, b.installables, systems, b.options.Changes); err != nil {
			return Evaluated{}, err
		}
		if b.plan, err = image.NewPlan(systems, b.options.Image); err != nil {
			return Evaluated{}, err
		}
		b.tellLeftOut(b.plan.LeftOut())
		if b.packs {
			err = b.readMetadata(ctx)
		}
		return evaluated(systems), err
	})
	return err
}

// tell tells what is worth a word of systems that were evaluated, and takes the settings of their
// flakes.
func (b *Build) tell(systems []*nixos.System) {
	var config nix.FlakeConfig
	for _, system := range systems {
		config = append(config, system.FlakeConfig...)
		if system.Extended {
			progress.Note(b.options.Sink, MadeLive{system.Name, system.Netboot})
		}
		for _, w := range system.Warnings {
			if len(systems) > 1 {
				w = system.Name + ": " + w
			}
			progress.Warn(b.options.Sink, errors.New(w))
		}
	}
	b.nix = b.nix.With(config)
}

// evaluated is the fact of an evaluation.
func evaluated(systems []*nixos.System) Evaluated {
	fact := Evaluated{VolumeID: systems[0].VolumeID, Known: true}
	var names, platforms []string
	for _, system := range systems {
		names = append(names, system.Name)
		if !slices.Contains(platforms, system.Platform) {
			platforms = append(platforms, system.Platform)
		}
		fact.Known = fact.Known && system.Known
	}
	fact.Configuration, fact.System = strings.Join(names, ", "), strings.Join(platforms, ", ")
	return fact
}

// Resolve returns settings as an image of what was evaluated has them, with filters by name. Its error
// is that of [codec.New].
func (b *Build) Resolve(settings codec.Settings) (codec.Settings, error) {
	settings, left := decompressor.Resolve(b.plan.Systems(), settings)
	b.tellLeftOut(left)
	_, err := codec.New(settings, 0)
	return settings, err
}

func (b *Build) tellLeftOut(left *decompressor.LeftOut) {
	if left != nil {
		progress.Note(b.options.Sink, *left)
	}
}

// Compress changes the compression of what was evaluated.
func (b *Build) Compress(settings codec.Settings) (err error) {
	b.options.Image.Compression = &settings
	b.plan, err = image.NewPlan(b.plan.Systems(), b.options.Image)
	return err
}

// Close lets the garbage collector have what was built.
func (b *Build) Close() error {
	var all []error
	for _, files := range b.files {
		all = append(all, files.Close())
	}
	if b.roots != nil {
		all = append(all, b.roots.Close())
	}
	return errors.Join(all...)
}

// step runs a step in which Nix is at work, and measures it.
func step[Fact any](b *Build, name, of string, took *time.Duration, run func() (Fact, error)) (Fact, error) {
	started := time.Now()
	defer func() { *took = time.Since(started) }()
	return progress.Do(b.options.Sink, name, of, func(t *progress.Task) (Fact, error) {
		b.task = t
		defer func() { b.task = nil }()
		return run()
	})
}

// said passes on what Nix says, as far as it is to be seen.
func (b *Build) said(m nix.Message) {
	switch {
	case m.Level == nix.LevelWarning:
		// Of a download that is tried again, Nix says "error: …; retrying".
		progress.Warn(b.options.Sink, errors.New(strings.TrimPrefix(m.Text, "error: ")))
	case m.Level == nix.LevelError:
		// Comes back as the error of the run.
	case m.Level == nix.LevelNotice, b.options.Verbose && m.Level <= nix.LevelTalkative:
		progress.Note(b.options.Sink, m.Text)
	}
}

// moved passes on how far Nix is.
func (b *Build) moved(p nix.Progress) {
	if b.task == nil {
		return
	}
	switch p.Phase {
	case nix.Evaluating:
		b.task.Moved("", progress.Count{Of: progress.Files, Done: int64(p.Files)})
	case nix.Building:
		text := ""
		if len(p.Jobs) > 0 {
			if text = p.Jobs[0].Name; p.Jobs[0].Line != "" {
				text += "> " + p.Jobs[0].Line
			}
		}
		b.task.Moved(text,
			progress.Count{Of: progress.Builds, Done: p.Builds.Done, Total: p.Builds.Expected},
			progress.Count{Of: progress.Paths, Done: p.Paths.Done, Total: p.Paths.Expected},
			progress.Count{Of: progress.Downloads, Done: p.Downloads.Done, Total: p.Downloads.Expected})
	}
}
