package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/progress"
)

// Limits of time.
const (
	askLimit   = 20 * time.Second // a question to Nix about itself
	cacheLimit = 10 * time.Second // a cache
	dryLimit   = 2 * time.Minute  // what is to be built, which asks the caches for every path
)

// cachesAtOnce is how many caches are asked at the same time.
const cachesAtOnce = 8

// checkNix looks at Nix and, if there is a configuration, at what becomes of it.
func (e *examination) checkNix(ctx context.Context) {
	if !e.checkProgram(ctx) || !e.checkSettings(ctx) {
		return
	}
	e.checkStore(ctx)
	e.checkCaches(ctx)
	e.checkFolders(ctx)
	e.checkMemory(ctx)
	if e.Begin == nil {
		e.checkEmulation(ctx)
		return
	}
	if e.Folder != "" && e.Ref != "" {
		e.checkRepository(ctx)
		e.checkLock(ctx)
	}
	if e.checkEvaluation(ctx) {
		e.checkBuilds(ctx)
	}
}

func (e *examination) checkProgram(ctx context.Context) bool {
	asking, cancel := limited(ctx, askLimit)
	defer cancel()
	var err error
	if e.nix, err = nix.Find(asking, nix.Options{Env: e.Env, Flags: e.Nix}); err != nil {
		e.wrong(ctx, "nix", Failed, timed(asking, err, "nix --version", askLimit), ISO, Run)
		return false
	}
	e.good(ctx, "nix", e.nix.Version.String(), ISO, Run)
	return true
}

// timed says which limit a question ran into.
func timed(ctx context.Context, err error, what string, limit time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s did not answer within %s", what, limit)
	}
	return err
}

// checkSettings reads what Nix is set up to, which takes the experimental features that livebuild
// turns on for each call.
func (e *examination) checkSettings(ctx context.Context) bool {
	asking, cancel := limited(ctx, askLimit)
	defer cancel()
	setup, err := e.nix.Setup(asking)
	if err != nil {
		e.wrong(ctx, "settings", Failed, timed(asking, err, "Nix", askLimit), ISO, Run)
		return false
	}
	e.good(ctx, "settings", "Nix can read them; flakes need not be turned on", ISO, Run)
	if !setup.Trusted {
		name := fmt.Sprint("user ", os.Getuid())
		if me, err := user.Current(); err == nil {
			name = me.Username
		}
		e.wrong(ctx, "trust", Warning, &UntrustedError{name}, ISO, Run)
	}
	return true
}

// checkStore has Nix write a few bytes to the store, where it writes derivations.
func (e *examination) checkStore(ctx context.Context) {
	asking, cancel := limited(ctx, askLimit)
	defer cancel()
	store, err := e.nix.Store(asking)
	if err == nil {
		// What is there already would not be written again.
		text := nix.Quote(fmt.Sprint("written by livebuild doctor, ", time.Now().UnixNano()))
		var path string
		err = e.nix.EvalExpression(asking, `builtins.toFile "livebuild-doctor" `+text, &path)
	}
	if err != nil {
		e.wrong(ctx, "store", Failed, timed(asking, err, "the Nix store", askLimit), ISO, Run)
		return
	}
	const little, least = 2_000_000_000, 64_000_000
	free, err := freeBytes(store.Folder())
	switch {
	case err != nil:
		e.good(ctx, "store", store.Folder()+" can be written", ISO, Run)
	case free < least:
		e.wrong(ctx, "store", Failed, storeFull(store.Folder(), free, "nothing can be built"), ISO, Run)
	case free < little:
		e.wrong(ctx, "store", Warning, storeFull(store.Folder(), free, "a system takes 1 to 10 GB"), ISO, Run)
	default:
		e.good(ctx, "store", fmt.Sprintf("%s can be written, and has %s free", store.Folder(), human.Size(free)), ISO, Run)
	}
}

// storeFull is what Nix would say if it were written to.
func storeFull(folder string, free int64, why string) error {
	return &nix.Error{Kind: nix.KindNoSpace, Message: (&SpaceError{folder, free, why}).Error()}
}

// checkCaches connects to the caches.
func (e *examination) checkCaches(ctx context.Context) {
	setup, err := e.nix.Setup(ctx)
	if err != nil {
		return // said before
	}
	scratch, err := os.MkdirTemp("", "livebuild-doctor-")
	if err != nil {
		e.wrong(ctx, "cache", Failed, err, ISO, Run)
		return
	}
	defer os.RemoveAll(scratch)
	if len(setup.Substituters) == 0 {
		e.good(ctx, "cache", "none is set: everything is built here", ISO, Run)
		return
	}
	task := progress.Begin(e.Sink, "asking caches", "")
	defer task.End(nil)
	failures := make([]error, len(setup.Substituters))
	group := errgroup.Group{}
	group.SetLimit(cachesAtOnce)
	for i, url := range setup.Substituters {
		n := *e.nix // is for one goroutine
		group.Go(func() error {
			asking, cancel := limited(ctx, cacheLimit)
			defer cancel()
			if err := n.Reach(asking, url, scratch); err != nil {
				if err = timed(asking, err, url, cacheLimit); nix.KindOf(err) == nix.KindOther {
					err = &nix.Error{Kind: nix.KindDownload, Message: err.Error()}
				}
				failures[i] = err
			}
			return nil
		})
	}
	_ = group.Wait()
	for i, url := range setup.Substituters {
		if failures[i] == nil {
			e.good(ctx, "cache", url+" answers", ISO, Run)
			continue
		}
		e.slow = true
		e.wrong(ctx, "cache", Failed, failures[i], ISO, Run)
	}
}

// checkFolders looks at the folders that livebuild itself writes to.
func (e *examination) checkFolders(ctx context.Context) {
	if err := os.MkdirAll(e.Cache, 0o755); err != nil {
		e.wrong(ctx, "folders", Failed, err, ISO, Run)
		return
	}
	for _, folder := range []string{e.Cache, e.Output} {
		if err := image.CheckFolder(folder); err != nil {
			e.wrong(ctx, "folders", Failed, err, ISO, Run)
			return
		}
	}
	e.good(ctx, "folders", "images can be written to "+e.Output+", temporary ones to "+e.Cache, ISO, Run)
}

// checkEmulation looks at what can be built for the other platform that images are made for, which
// need not be wanted.
func (e *examination) checkEmulation(ctx context.Context) {
	platform := "aarch64-linux"
	if runtime.GOARCH == "arm64" {
		platform = "x86_64-linux"
	}
	by, _, err := e.nix.Builder(ctx, platform)
	var nobody *nix.PlatformError
	switch {
	case errors.As(err, &nobody) && slices.Contains([]nix.PlatformReason{nix.NoEmulator, nix.NoBinfmt, nix.UnknownPlatform}, nobody.Reason):
		e.good(ctx, "emulation", "none of "+platform+", which only images for such machines need", ISO, Run)
	case nobody != nil: // it is meant to work
		e.wrong(ctx, "emulation", Warning, err, ISO, Run)
	case err != nil:
		e.wrong(ctx, "emulation", Failed, err, ISO, Run)
	default:
		e.good(ctx, "emulation", platform+" is built by "+builder(by), ISO, Run)
	}
}

// builder says who builds.
func builder(by nix.BuildsBy) string {
	return map[nix.BuildsBy]string{
		nix.Nobody: "nobody", nix.ThisMachine: "this machine", nix.AnotherMachine: "another machine", nix.Emulation: "emulation",
	}[by]
}
