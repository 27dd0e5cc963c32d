package ask

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/nix"
	"github.com/livebuild/livebuild/internal/nixos"
)

// Limits of what is asked while somebody waits for a word to go on.
const (
	askLimit = 4 * time.Second
	fresh    = 10 * time.Minute // how long names count that were asked, if their flake's files are the same
	freshFar = time.Hour        // those of a flake on another machine
	mostKept = 50               // flakes
)

// names are those of configurations, asked of Nix and kept in a file of the cache.
type names struct{ file string }

// asked is what Nix said of a flake.
type asked struct {
	Stamp string    // of the flake's own files
	Time  time.Time // when it was asked
	Names []string
}

func newNames() names { return names{filepath.Join(face.CacheFolder(), "configurations.json")} }

// of are the names of a flake's or a file's configurations, none if that cannot be found out soon.
// Names that are out of date are better than none.
func (n names) of(ctx context.Context, of installable.Installable, flags nix.Flags) []string {
	key, stamp, age := of.Ref+of.File, "", freshFar
	if folder, here := of.Folder(); of.File == "" && here {
		key, stamp, age = folder, stampOf(filepath.Join(folder, "flake.nix"), filepath.Join(folder, "flake.lock")), fresh
	} else if of.File != "" {
		stamp, age = stampOf(of.File), fresh
	}
	kept := n.read()
	known, ok := kept[key]
	if ok && known.Stamp == stamp && time.Since(known.Time) < age {
		return known.Names
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	found, err := nix.Find(ctx, nix.Options{Env: os.Environ(), Flags: flags})
	if err != nil {
		return known.Names
	}
	list, err := nixos.Names(ctx, found, of)
	if err != nil {
		return known.Names
	}
	if len(kept) >= mostKept {
		kept = map[string]asked{}
	}
	kept[key] = asked{stamp, time.Now(), list}
	n.write(kept)
	return list
}

// stampOf tells files from what they were before.
func stampOf(files ...string) (stamp string) {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			stamp += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), " ")
		}
	}
	return stamp
}

// read returns what is kept, which is nothing if it cannot be read.
func (n names) read() map[string]asked {
	kept := map[string]asked{}
	if text, err := os.ReadFile(n.file); err != nil || json.Unmarshal(text, &kept) != nil || kept == nil {
		return map[string]asked{}
	}
	return kept
}

// write keeps what was asked. It is a help, and nobody is told if it fails.
func (n names) write(kept map[string]asked) {
	text, err := json.Marshal(kept)
	if err != nil || os.MkdirAll(filepath.Dir(n.file), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(n.file), "configurations-")
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if errClose := f.Close(); err != nil || errClose != nil || os.Rename(f.Name(), n.file) != nil {
		os.Remove(f.Name())
	}
}
