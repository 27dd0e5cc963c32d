package loader

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/boot"
)

// TestMenusWrittenHere reads and changes what internal/boot writes.
func TestMenusWrittenHere(t *testing.T) {
	entry := func(label, title, extra string) boot.Entry {
		return boot.Entry{Label: label, Title: title, Class: "installer", Kernel: "/boot/k", Initrds: []string{"/boot/i"},
			Params: []string{"init=/nix/store/x/init", "quiet", extra}}
	}
	for _, timeout := range []int{0, 10} {
		menu := &boot.Menu{
			Systems: []boot.Section{{
				Entries: []boot.Entry{entry("boot", "NixOS it's", "a"), entry("boot-two", "NixOS \"two\"", "b")},
				Options: []boot.Group{
					{Title: "No modesetting", Class: "nomodeset", Entries: []boot.Entry{entry("n1", "NixOS", "nomodeset"), entry("n2", "NixOS", "nomodeset")}},
				},
			}},
			Theme: true, Timeout: &timeout,
		}
		grub, isolinux := string(menu.Grub([]string{"a.pf2"}, nil)), string(menu.Isolinux())
		for name, m := range map[string]Menu{"isolinux": ParseSYSLINUX(isolinux, nil), "GRUB": ParseGRUB(grub)} {
			if m.Items[0].Title != "NixOS it's" || m.Items[2].Title != boot.OptionsTitle {
				t.Errorf("%s: the menu is read as %+v", name, m)
			}
			if m.Speaks("ttyS0") || !hasParameter(m.DefaultItem(), "a") || m.Timeout > time.Duration(max(1, timeout))*time.Second {
				t.Errorf("%s: the default is %+v after %s", name, m.DefaultItem(), m.Timeout)
			}
		}
		changed, ok := SpeakGRUB(grub, nil, "ttyS0", plenty)
		if n := strings.Count(changed, " $serialconsole"); !ok || n != 4 {
			t.Errorf("GRUB: %d kernels have a console more, want 4", n)
		}
		checkGRUBScript(t, changed)
		texts, ok := SpeakSYSLINUX(isolinux, nil, "ttyS0", noInclude, func(string) int { return plenty })
		m := ParseSYSLINUX(texts[""], noInclude)
		if !ok || !m.Speaks("ttyS0") || !hasParameter(m.DefaultItem(), "a") {
			t.Errorf("isolinux: the changed menu is %+v", m)
		}
	}
}

func hasParameter(item Item, parameter string) bool {
	return slices.Contains(strings.Fields(item.CommandLine), parameter)
}
