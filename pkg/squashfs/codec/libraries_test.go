package codec

import (
	"errors"
	"strings"
	"testing"
)

// Libraries are those that the identities of codecs name.
func TestLibraries(t *testing.T) {
	list := Libraries()
	if len(list) != 4 {
		t.Errorf("%d compressions, want 4: %v", len(list), list)
	}
	for _, library := range list {
		c, err := New(Settings{Name: library.Compression}, 0)
		if library.Refusal != nil || err != nil {
			var unsupported *UnsupportedError
			if haveXZ || library.Compression != XZ || !errors.As(library.Refusal, &unsupported) || err == nil || library.Name != "" {
				t.Errorf("%+v, and New says %v", library, err)
			}
			continue
		}
		if library.Name == "" || !strings.HasSuffix(c.Identity(), "("+library.Name+")") {
			t.Errorf("%+v, and its identity is %s", library, c.Identity())
		}
	}
}
