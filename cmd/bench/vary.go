package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"

	"github.com/livebuild/livebuild/internal/store"
	"github.com/livebuild/livebuild/internal/synthetic"
)

const varyVerb = "vary"

// vary makes another build of some store paths of the corpus, as an update brings them.
func vary(_ context.Context, args []string) error {
	flags := flag.NewFlagSet(varyVerb, flag.ExitOnError)
	from := flags.String("store", "", "root of the store, which gets the new paths, too")
	closureFile := flags.String("closure", "", "file with the closure")
	match := flags.String("match", "", "part of the names of the paths that change; empty for all")
	to := flags.String("output", "", "file for the closure that comes out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*closureFile)
	if err != nil {
		return err
	}
	closure := &store.Closure{}
	if err := json.Unmarshal(text, closure); err != nil {
		return err
	}
	if err := synthetic.Update(closure, *from, *match); err != nil {
		return err
	}
	if text, err = json.Marshal(closure); err != nil {
		return err
	}
	return os.WriteFile(*to, text, 0o644)
}
