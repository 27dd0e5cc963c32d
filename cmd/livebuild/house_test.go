package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/livebuild/livebuild/"

// mayImport is the house: each package with those of ours that it may import.
// docs/internals.md draws it. Only internal/cli and tests may import everything.
var mayImport = map[string][]string{
	"cmd/livebuild": {"internal/cli"},
	"internal/cli": {"internal/boot", "internal/device", "internal/image", "internal/imagefile", "internal/loader", "internal/nix", "internal/nixos",
		"internal/progress", "internal/qemu", "pkg/squashfs", "pkg/squashfs/codec"},
	"internal/image": {"internal/boot", "internal/kernel", "internal/nix", "internal/nixos",
		"pkg/hybridiso", "pkg/squashfs", "pkg/squashfs/codec", "pkg/zstdfile"},
	"internal/device":    {},
	"internal/imagefile": {},
	"internal/boot":      {"internal/nixos", "pkg/fat"},
	"internal/nixos":     {"internal/nix"},
	"internal/progress":  {},
	"internal/loader":    {"internal/qemu"},
	"internal/nix":       {},
	"internal/kernel":    {},
	"internal/qemu":      {},
	"internal/judge":     {},                 // imported by tests alone
	"internal/testdisk":  {"internal/judge"}, // likewise
	"pkg/fat":            {},
	"pkg/gpt":            {},
	"pkg/hybridiso":      {"pkg/gpt"},
	"pkg/squashfs":       {"pkg/squashfs/codec", "pkg/squashfs/internal/copyrange", "pkg/squashfs/internal/likeness"},
	"pkg/squashfs/codec": {},

	"pkg/squashfs/internal/copyrange": {},
	"pkg/squashfs/internal/likeness":  {},

	"pkg/zstdfile": {},
	"cmd/bench":    {"internal/boot", "internal/image", "internal/nix", "internal/nixos", "pkg/hybridiso", "pkg/squashfs/codec"}, // a program of its own
}

// prints are what only internal/cli and the process edge may use.
var prints = []string{"fmt.Print", "fmt.Println", "fmt.Printf", "os.Stdout", "os.Stderr", "os.Exit", "log.Fatal"}

func TestHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	comments := map[string]int{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != root {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		folder := path.Dir(filepath.ToSlash(rel))
		allowed, known := mayImport[folder]
		if !known {
			t.Errorf("%s: the package %s is not in the table", rel, folder)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(name, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which the table does not allow", rel, ours)
			}
			if strings.Contains(name, "spf13/") && folder != "internal/cli" {
				t.Errorf("%s imports %s: flags belong into internal/cli", rel, name)
			}
		}
		if parsed.Doc != nil {
			comments[folder]++
		}
		if folder != "internal/cli" && parsed.Name.Name != "main" {
			checkQuiet(t, rel, parsed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder := range mayImport {
		if comments[folder] != 1 {
			t.Errorf("%s has %d package comments, want 1", folder, comments[folder])
		}
	}
}

// checkQuiet reports uses of the standard streams and of os.Exit.
func checkQuiet(t *testing.T, file string, parsed *ast.File) {
	ast.Inspect(parsed, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(prints, x.Name+"."+selector.Sel.Name) {
			t.Errorf("%s uses %s.%s: only internal/cli prints and exits", file, x.Name, selector.Sel.Name)
		}
		return true
	})
}
