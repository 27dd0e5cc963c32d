package evalcache

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	c := In(filepath.Join(t.TempDir(), "cache"))
	key := Key("a", "b")
	if got := c.Get(key); got != nil {
		t.Errorf("an empty cache answers %q", got)
	}
	if err := c.Put(key, []byte("answer")); err != nil {
		t.Fatal(err)
	}
	if got := string(c.Get(key)); got != "answer" {
		t.Errorf("the answer is %q", got)
	}
	for _, other := range []string{Key("ab"), Key("a", "b", ""), Key("b", "a")} {
		if c.Get(other) != nil {
			t.Errorf("%s has an answer, too", other)
		}
	}
}

func TestZeroCacheRemembersNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	var c Cache
	if err := c.Put("key", []byte("answer")); err != nil {
		t.Fatal(err)
	}
	if got := c.Get("key"); got != nil {
		t.Errorf("it answers %q", got)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("it wrote %v (%v)", entries, err)
	}
}

// What nobody asked for the longest goes first, and what was never complete goes at last.
func TestForget(t *testing.T) {
	c := In(t.TempDir())
	old := func(name string, age time.Duration) {
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(c.folder, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range most {
		key := fmt.Sprint(i)
		if err := c.Put(key, []byte{1}); err != nil {
			t.Fatal(err)
		}
		old(key, time.Duration(most-i)*time.Hour)
	}
	for name, age := range map[string]time.Duration{partial + "now": 0, partial + "old": 2 * partialTime} {
		if err := os.WriteFile(filepath.Join(c.folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		old(name, age)
	}
	c.Get("0") // the oldest, but asked for
	if err := c.Put("new", []byte{1}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"0": true, "1": false, "2": true, "new": true, partial + "now": true, partial + "old": false} {
		if got := c.Get(key) != nil; got != want {
			t.Errorf("%s is remembered: %t, want %t", key, got, want)
		}
	}
}
