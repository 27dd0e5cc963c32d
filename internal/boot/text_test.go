package boot

import (
	"errors"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/nixos"
)

func TestGrubWords(t *testing.T) {
	for _, test := range []struct{ param, want string }{
		{"quiet", "quiet"},
		{"root=LABEL=nixos", "root=LABEL=nixos"},
		{"two  words", "two words"},
		{"a=$b", "'a=$b'"},
		{"a={b;c}&|<>#*", "'a={b;c}&|<>#*'"},
		{`dyndbg="file a.c +p"`, "'dyndbg=file a.c +p'"},
		{`"dyndbg=file a.c +p" x`, "'dyndbg=file a.c +p' x"},
		{`a="b"`, "a=b"},
		{"", ""},
	} {
		words, err := grubWords(test.param)
		if got := strings.Join(words, " "); err != nil || got != test.want {
			t.Errorf("grubWords(%q) = %s, %v, want %s", test.param, got, err, test.want)
		}
	}
	for _, param := range []string{`a="b c`, `a=b"c"d`, `a\b`, `it's`, `a="b"c"`} {
		if words, err := grubWords(param); err == nil {
			t.Errorf("grubWords(%q) = %q, want an error", param, words)
		}
	}
}

func TestOddTitles(t *testing.T) {
	s := installer(t)
	s.Configurations[0].PrependToMenuLabel = `It's "$5" \ {x} ; #`
	m, err := NewMenu(s)
	if err != nil {
		t.Fatal(err)
	}
	config := string(m.Grub(nil, nil))
	checkScript(t, config)
	if want := `menuentry 'It'\''s "$5" \ {x} ; #NixOS 24.05 Installer' --class installer {`; !strings.Contains(config, want) {
		t.Errorf("grub.cfg has no %s", want)
	}
}

func TestRefusedTexts(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*nixos.System)
		what   string
	}{
		{"line break in a title", func(s *nixos.System) { s.Configurations[0].Label = "a\nb" }, "title"},
		{"hot key in a title", func(s *nixos.System) { s.Configurations[0].Label = "a^b" }, "title"},
		{"line break in a parameter", func(s *nixos.System) { s.Configurations[0].KernelParams = []string{"a\nMENU"} }, "kernel parameter"},
		{"quote in a parameter", func(s *nixos.System) { s.Configurations[0].KernelParams = []string{"it's"} }, "kernel parameter"},
		{"long command line", func(s *nixos.System) {
			s.Configurations[0].KernelParams = []string{strings.Repeat("x", 2048)}
		}, "command line of"},
	} {
		s := installer(t)
		test.change(s)
		var refused *TextError
		if _, err := NewMenu(s); !errors.As(err, &refused) || refused.What != test.what {
			t.Errorf("%s: NewMenu = %v, want a *TextError of a %s", test.name, err, test.what)
		}
	}
	s := installer(t)
	s.MakeEFIBootable = false
	s.Configurations[0].KernelParams = []string{"it's"}
	if _, err := NewMenu(s); err != nil {
		t.Errorf("NewMenu without GRUB = %v", err)
	}
}
