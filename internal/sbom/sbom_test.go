package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
)

const (
	hello = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-hello-2.12.1"
	glibc = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-glibc-2.39-52"
	unit  = "/nix/store/cccccccccccccccccccccccccccccccc-unit-a+b?.service"
)

// example has packages of which all, something, and nothing is known.
func example(t *testing.T) Image {
	t.Helper()
	closure := &store.Closure{Paths: []store.PathInfo{
		{Path: hello, NarHash: [32]byte{1}, NarSize: 8, References: []string{hello, glibc}},
		{Path: glibc, NarHash: [32]byte{2}, NarSize: 8},
		{Path: unit, NarHash: [32]byte{3}, NarSize: 8, References: []string{hello}},
	}}
	m := &manifest.Manifest{
		Tool: manifest.Tool{Name: "livebuild", Version: "v1"}, Configuration: "iso", Platform: "x86_64-linux", Label: "24.05",
		Toplevel: unit, Settings: manifest.Settings{Epoch: 315532800, BlockSize: 4096}, StorePaths: manifest.NewStorePaths(closure),
	}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return Image{"a.iso", m, text, closure, map[string]nixos.Package{
		filepath.Base(hello): {
			Name: "hello", Version: "2.12.1", Homepage: "https://www.gnu.org/software/hello/",
			Licences: []nixos.Licence{{SPDX: "GPL-3.0-or-later"}, {Name: "Own <licence>\nv. 2", URL: "https://example.com/own"}},
			CPE:      "cpe:2.3:a:gnu:hello:2.12.1:*:*:*:*:*:*:*",
		},
		filepath.Base(glibc): {Name: "glibc", Homepage: "see README", CPE: "cpe:/a:gnu:glibc", Licences: []nixos.Licence{{SPDX: "LGPL-2.1-or-later"}, {}}},
	}}
}

// schemas are those of CycloneDX, which its Go module carries.
func schemas(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "schema")
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		// What is vendored are packages only.
		judge.Missing(t, "the schema of CycloneDX", "its Go module is here without the folder "+folder)
	}
	return folder
}

// checkCycloneDX holds a bill against the schema of its format.
func checkCycloneDX(t *testing.T, text []byte) {
	t.Helper()
	folder := schemas(t)
	checkSchema(t, text, "http://cyclonedx.org/schema/bom-1.6.schema.json", map[string]string{
		"http://cyclonedx.org/schema/spdx.schema.json":     filepath.Join(folder, "spdx.schema.json"),
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": filepath.Join(folder, "jsf-0.82.schemax.json"),
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  filepath.Join(folder, "bom-1.6.schema.json"),
	})
}

// withSPDXSchema is a module that carries SPDX's own schema, whose repository is none itself. It is
// fetched into the cache of modules, and go.mod does not name it: nothing of it is compiled.
const withSPDXSchema = "github.com/anchore/syft@v1.18.1"

// checkSPDX holds a bill against the schema of its format.
func checkSPDX(t *testing.T, text []byte) {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", withSPDXSchema)
	out, err := cmd.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil {
		judge.Missing(t, "the schema of SPDX", fmt.Sprintf("%s: %v", module.Error, errors.Join(err, jsonErr)))
	}
	const name = "http://spdx.org/rdf/terms/2.3"
	checkSchema(t, text, name, map[string]string{name: filepath.Join(module.Dir, "schema", "spdx-json", "spdx-schema-2.3.json")})
}

// checkSchema holds a bill against one of the schemas in these files, by their names.
func checkSchema(t *testing.T, text []byte, name string, files map[string]string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	for name, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(name, schema); err != nil {
			t.Fatal(err)
		}
	}
	c.AssertFormat()
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("the schema refuses the bill: %v\n%s", err, text)
	}
}

func TestCycloneDX(t *testing.T) {
	text, err := CycloneDX(example(t))
	if err != nil {
		t.Fatal(err)
	}
	checkCycloneDX(t, text)
	var bill cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if n := len(*bill.Components); n != 3 {
		t.Fatalf("%d components", n)
	}
	first, second, third := (*bill.Components)[0], (*bill.Components)[1], (*bill.Components)[2]
	if first.Name != "hello" || first.Version != "2.12.1" || first.CPE == "" || (*first.Licenses)[0].Expression != "GPL-3.0-or-later AND LicenseRef-nixpkgs-Own-licence-v.-2" ||
		(*first.ExternalReferences)[0].URL != "https://www.gnu.org/software/hello/" {
		t.Errorf("the first is %+v", first)
	}
	// What is no web address, no CPE, and a licence without a name are not known.
	if second.Name != "glibc" || second.Version != "2.39-52" || second.CPE != "" || second.Licenses != nil || second.ExternalReferences != nil {
		t.Errorf("the second is %+v", second)
	}
	if third.Name != "unit-a+b?.service" || third.Version != "" || third.Licenses != nil {
		t.Errorf("the third is %+v", third)
	}
	for _, d := range *bill.Dependencies {
		want := map[string]string{imageID: filepath.Base(unit), filepath.Base(hello): filepath.Base(glibc), filepath.Base(unit): filepath.Base(hello)}[d.Ref]
		got := ""
		if d.Dependencies != nil {
			got = strings.Join(*d.Dependencies, " ")
		}
		if got != want {
			t.Errorf("%s depends on %q, want %q", d.Ref, got, want)
		}
	}
}

// TestSPDX reads with the library what it wrote.
func TestSPDX(t *testing.T) {
	text, err := SPDX(example(t))
	if err != nil {
		t.Fatal(err)
	}
	checkSPDX(t, text)
	doc, err := spdxjson.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Errorf("spdxlib: %v", err)
	}
	var raw struct {
		Packages []struct {
			ID       string `json:"SPDXID"`
			Name     string
			Version  string `json:"versionInfo"`
			Declared string `json:"licenseDeclared"`
			Homepage string
			External []struct{ ReferenceLocator string } `json:"externalRefs"`
		}
		Relationships []struct{ SpdxElementID, RelationshipType, RelatedSpdxElement string }
		Licences      []struct {
			ID       string `json:"licenseId"`
			SeeAlsos []string
		} `json:"hasExtractedLicensingInfos"`
		CreationInfo struct{ Created string }
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{"SPDXRef-DOCUMENT": true}
	for _, p := range raw.Packages {
		if ids[p.ID] || notInID(strings.TrimPrefix(p.ID, "SPDXRef-")) {
			t.Errorf("the identifier %s", p.ID)
		}
		ids[p.ID] = true
	}
	for _, r := range raw.Relationships {
		if !ids[r.SpdxElementID] || !ids[r.RelatedSpdxElement] {
			t.Errorf("a relationship of what is not there: %+v", r)
		}
	}
	first, second := raw.Packages[1], raw.Packages[2]
	if first.Name != "hello" || first.Declared != "GPL-3.0-or-later AND LicenseRef-nixpkgs-Own-licence-v.-2" || first.Homepage == "" || len(first.External) != 1 {
		t.Errorf("the first package is %+v", first)
	}
	if second.Declared != "NOASSERTION" || second.Homepage != "" || second.Version != "2.39-52" {
		t.Errorf("the second package is %+v", second)
	}
	if len(raw.Licences) != 1 || raw.Licences[0].ID != "LicenseRef-nixpkgs-Own-licence-v.-2" || len(raw.Licences[0].SeeAlsos) != 1 {
		t.Errorf("other licences are %+v", raw.Licences)
	}
	if raw.CreationInfo.Created != "1980-01-01T00:00:00Z" {
		t.Errorf("it was created %s", raw.CreationInfo.Created)
	}
}

// notInID finds what SPDX does not allow in an identifier.
func notInID(id string) bool {
	return id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != ""
}

// TestSame wants the same bytes again.
func TestSame(t *testing.T) {
	for name, write := range map[string]func(Image) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
		one, err := write(example(t))
		if err != nil {
			t.Fatal(err)
		}
		if other, err := write(example(t)); err != nil || !bytes.Equal(one, other) {
			t.Errorf("%s: the second is another (%v)", name, err)
		}
	}
}
