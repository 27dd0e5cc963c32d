package nixos

import (
	"errors"
	"reflect"
	"testing"

	"github.com/livebuild/livebuild/internal/store"
)

// TestRebuildKit has a graph in the shape of nixpkgs': a system of configuration files, of an initrd that is made of
// some, and of a package that has one as a patch.
func TestRebuildKit(t *testing.T) {
	local := map[string]string{"preferLocalBuild": "1", "allowSubstitutes": ""}
	graph := map[string]store.Derivation{
		"system.drv":  {Environment: local, Inputs: map[string][]string{"etc.drv": {"out"}, "initrd.drv": {"out"}, "package.drv": {"out"}, "stdenv.drv": {"out"}}},
		"etc.drv":     {Environment: local, Inputs: map[string][]string{"stdenv.drv": {"out"}, "jq.drv": {"bin", "dev"}}},
		"stage1.drv":  {Environment: local, Inputs: map[string][]string{"stdenv.drv": {"out"}}},
		"initrd.drv":  {Environment: map[string]string{"name": "initrd"}, Inputs: map[string][]string{"stage1.drv": {"out"}, "cpio.drv": {"out"}}},
		"patch.drv":   {Environment: local, Inputs: map[string][]string{"stdenv.drv": {"out"}}},
		"package.drv": {Environment: map[string]string{"version": "1"}, Inputs: map[string][]string{"patch.drv": {"out"}, "compiler.drv": {"out"}}},
		"stdenv.drv":  {Environment: map[string]string{}, Inputs: map[string][]string{"compiler.drv": {"out"}}},
		"compiler.drv": {Environment: map[string]string{"version": "13"},
			Inputs: map[string][]string{"source.drv": {"out"}}},
		"cpio.drv":   {Environment: map[string]string{"version": "2"}, Inputs: map[string][]string{"source.drv": {"out"}}},
		"jq.drv":     {Environment: map[string]string{"version": "3"}},
		"source.drv": {Environment: map[string]string{"outputHash": "00"}},
	}
	for path, d := range graph {
		d.Outputs = map[string]string{}
		for _, name := range []string{"out", "bin", "dev"} {
			d.Outputs[name] = "/nix/store/" + path + "-" + name
		}
		graph[path] = d
	}
	read := func(path string) (store.Derivation, error) {
		d, ok := graph[path]
		if !ok {
			return d, errors.New("no " + path)
		}
		return d, nil
	}
	k, err := rebuildKit(read, "system.drv")
	if err != nil {
		t.Fatal(err)
	}
	// A package is not made anew by a change of settings: its compiler is not taken.
	want := map[string][]string{
		"etc.drv": {"out"}, "initrd.drv": {"out"}, "package.drv": {"out"}, "stdenv.drv": {"out"}, "jq.drv": {"bin", "dev"}, "stage1.drv": {"out"}, "cpio.drv": {"out"},
	}
	if !reflect.DeepEqual(k.realise, want) || len(k.paths) != 8 || k.paths[0] != "/nix/store/cpio.drv-out" || k.unknown != "" {
		t.Errorf("the kit is %+v, want %v", k, want)
	}
	graph["jq.drv"] = store.Derivation{Outputs: map[string]string{"bin": "", "dev": ""}}
	if k, err := rebuildKit(read, "system.drv"); err != nil || k.unknown != "jq.drv" {
		t.Errorf("known by their content: %+v, %v", k, err)
	}
	delete(graph, "cpio.drv")
	if _, err := rebuildKit(read, "system.drv"); err == nil {
		t.Error("a derivation that is not there is no error")
	}
}
