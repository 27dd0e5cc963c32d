package picklist

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestLabels(t *testing.T) {
	items := []Item{{"a", "first, and a long story"}, {"näme", "second"}, {"漢字", ""}}
	got := labels(items, 24)
	want := []string{"a     first, and a long…", "näme  second", "漢字"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// Where there is no room for details, names stay.
	if got := labels(items, 12); !slices.Equal(got, []string{"a", "näme", "漢字"}) {
		t.Errorf("%q", got)
	}
	// Nothing gets to the terminal that it would do something for.
	if got := labels([]Item{{"a\x1b[2Jb", "c\rd\x07"}}, 80); got[0] != "a?[2Jb  c?d?" {
		t.Errorf("%q", got)
	}
	if n := height([]string{"12345", "123456", "", "1234512345"}, 5); n != 1+2+1+2 {
		t.Errorf("they take %d lines", n)
	}
}

// TestNumber answers on a terminal whose cursor does not move. What is typed ahead for another
// question stays.
func TestNumber(t *testing.T) {
	for input, want := range map[string]struct {
		picked int
		err    error
		asked  int
		rest   string
	}{
		"2\nrest\n":              {1, nil, 1, "rest\n"},
		"0\n4\n-1\nx\n\n 3 \n":   {2, nil, 6, ""},
		"":                       {0, context.Canceled, 1, ""},
		"2":                      {0, context.Canceled, 1, ""}, // no line
		"99999999999999999\n1\n": {0, nil, 2, ""},
	} {
		in, person, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		shown, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := person.WriteString(input); err != nil {
			t.Fatal(err)
		}
		person.Close()
		got, err := Pick(context.Background(), Terminal{In: in, Out: out, Dumb: true}, "Which?", []Item{{"a", ""}, {"b", "x"}, {"c", ""}})
		out.Close()
		if got != want.picked || !errors.Is(err, want.err) {
			t.Errorf("%q: %d, %v, want %d, %v", input, got, err, want.picked, want.err)
		}
		text, _ := io.ReadAll(shown)
		if n := strings.Count(string(text), "A number from 1 to 3: "); n != want.asked || !strings.HasPrefix(string(text), "Which?\n   1  a\n   2  b  x\n   3  c\n") {
			t.Errorf("%q: asked %d times, want %d: %s", input, n, want.asked, text)
		}
		if rest, _ := io.ReadAll(in); string(rest) != want.rest {
			t.Errorf("%q: %q is left, want %q", input, rest, want.rest)
		}
	}
}

// TestNumberInterrupted ends a question that nobody answers.
func TestNumberInterrupted(t *testing.T) {
	in, person, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pick(ctx, Terminal{In: in, Out: null, Dumb: true}, "Which?", []Item{{"a", ""}}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
