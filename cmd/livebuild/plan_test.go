package main

import (
	"encoding/json"
	"testing"
)

// planned is what 'livebuild plan --json' prints.
type planned struct {
	Configuration string
	System        string
	BuildSystem   string `json:"build_system"`
	Toplevel      string
	File          string
	VolumeID      string `json:"volume_id"`
	Modes         []string
	Compression   string
	StoreContents []string `json:"store_contents"`
	Entries       []struct{ Menu, Title, Kernel, Initrd, Line string }
	Files         []struct{ Target, Source string }
	Build, Fetch  []string
}

func plan(t testing.TB, args ...string) planned {
	t.Helper()
	o := livebuild(t, append([]string{"plan", "--json"}, args...)...)
	if o.status != 0 {
		t.Fatalf("livebuild plan %q: status %d\n%s", args, o.status, o.stderr)
	}
	var p planned
	if err := json.Unmarshal([]byte(o.stdout), &p); err != nil {
		t.Fatalf("livebuild plan --json printed %q: %v", o.stdout, err)
	}
	return p
}
