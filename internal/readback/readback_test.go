package readback

import "testing"

func TestCompare(t *testing.T) {
	want := Tree{"a": "-r--r--r-- 1", "b": "L a"}
	for name, got := range map[string]Tree{
		"missing":     {"a": "-r--r--r-- 1"},
		"too much":    {"a": "-r--r--r-- 1", "b": "L a", "c": "L a"},
		"permissions": {"a": "-r-xr-xr-x 1", "b": "L a"},
		"target":      {"a": "-r--r--r-- 1", "b": "L b"},
	} {
		if want.Compare(got) == nil {
			t.Errorf("%s: no difference found", name)
		}
	}
	if err := want.Compare(Tree{"a": "-r--r--r-- 1", "b": "L a"}); err != nil {
		t.Error(err)
	}
}
