//go:build !cgo

package codec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// haveXZ says whether this build has xz.
const haveXZ = false

// The versions in identities are those that go.mod requires.
func TestModuleVersions(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"github.com/klauspost/compress " + klauspostVersion,
		"github.com/pierrec/lz4/v4 " + pierrecVersion,
	} {
		if !strings.Contains(string(mod), "\t"+want) {
			t.Errorf("go.mod does not require %q", want)
		}
	}
}
