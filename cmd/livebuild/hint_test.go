package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unhinted are exported errors without advice of their own, and why.
var unhinted = map[string]string{
	"internal/binfmt.ErrOff":           "internal/nix makes a PlatformError of it",
	"internal/descriptor.ErrNone":      "internal/device makes a NotOpenedError of it",
	"internal/descriptor.RefusedError": "internal/device makes a ToldError of it",
	"internal/device.ToldError":        "told already, with advice, by the process at the other end",
	"internal/image.UnfitError":        "a note on an earlier image that nothing is taken from",
	"internal/kernel.ErrNoConfig":      "internal/image asks nothing more of such a kernel",
	"internal/kexec.ErrNone":           "internal/medium takes such a file for something else",
	"internal/overlay.RoomError":       "internal/boottest asks for the room before",
	"internal/store.OpenError":         "internal/nix makes KindVanished of it",
}

// TestHints checks that every exported error of the house has its row in the tables of
// advice, and that all errors are named in one form.
func TestHints(t *testing.T) {
	rows := hintRows(t)
	var all []string
	for folder := range house {
		if !strings.HasPrefix(folder, "internal/") || slices.Contains(forTests, folder) || isFace(folder) {
			continue
		}
		for _, name := range exportedErrors(t, folder) {
			if !strings.HasSuffix(name, "Error") && !strings.HasPrefix(name, "Err") {
				t.Errorf("%s.%s is not called …Error or Err…", folder, name)
			}
			all = append(all, folder+"."+name)
		}
	}
	for _, name := range all {
		_, excused := unhinted[name]
		switch has := rows[path.Base(name)]; {
		case has && excused:
			t.Errorf("%s has advice, and an excuse for having none", name)
		case !has && !excused:
			t.Errorf("there is no advice on %s", name)
		}
	}
	for name := range unhinted {
		if !slices.Contains(all, name) {
			t.Errorf("%s, which has an excuse, does not exist", name)
		}
	}
}

// parsed are the files of a package, tests aside.
func parsed(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no files (%v)", folder, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// exportedErrors are the exported types of a package that are errors, and its exported
// variables that begin with Err.
func exportedErrors(t *testing.T, folder string) (names []string) {
	for _, file := range parsed(t, folder) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || d.Name.Name != "Error" || d.Type.Params.NumFields() > 0 || d.Type.Results.NumFields() != 1 {
					continue
				}
				if name := typeName(d.Recv.List[0].Type); ast.IsExported(name) {
					names = append(names, name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					value, ok := spec.(*ast.ValueSpec)
					if !ok {
						continue
					}
					for _, name := range value.Names {
						if strings.HasPrefix(name.Name, "Err") {
							names = append(names, name.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// hintRows are the errors that the tables of advice name, as "package.Name": the
// type in On[TYPE], that of the argument of the function in OnValue, the value in OnErr.
func hintRows(t *testing.T) map[string]bool {
	files := parsed(t, "internal/advice")
	arguments := map[string]string{} // of functions by name
	for _, file := range files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Type.Params.NumFields() == 1 {
				arguments[f.Name.Name] = typeName(f.Type.Params.List[0].Type)
			}
		}
	}
	rows := map[string]bool{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			switch f := call.Fun.(type) {
			case *ast.IndexExpr:
				if typeName(f.X) == "On" {
					rows[typeName(f.Index)] = true
				}
			case *ast.Ident:
				switch argument := call.Args[0].(type) {
				case *ast.FuncLit:
					if f.Name == "OnValue" {
						rows[typeName(argument.Type.Params.List[0].Type)] = true
					}
				default:
					if f.Name == "OnValue" {
						rows[arguments[typeName(argument)]] = true
					} else if f.Name == "OnErr" {
						rows[typeName(argument)] = true
					}
				}
			}
			return true
		})
	}
	return rows
}

// typeName is a name in the source, with its package, without the star of a pointer.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}
