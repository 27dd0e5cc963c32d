package face

import (
	"slices"

	"github.com/spf13/pflag"
)

// HeadingKey is the annotation of a flag that has its heading.
const HeadingKey = "heading"

// Under puts the flags that add adds under a heading.
func Under(heading string, f *pflag.FlagSet, add func()) {
	known := map[string]bool{}
	f.VisitAll(func(flag *pflag.Flag) { known[flag.Name] = true })
	add()
	f.VisitAll(func(flag *pflag.Flag) {
		if known[flag.Name] {
			return
		}
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[HeadingKey] = []string{heading}
	})
}

// GivenUnder is one of the flags under a heading that was given, or empty.
func GivenUnder(heading string, f *pflag.FlagSet) (name string) {
	f.Visit(func(flag *pflag.Flag) {
		if slices.Contains(flag.Annotations[HeadingKey], heading) {
			name = flag.Name
		}
	})
	return name
}

// Formerly lets a flag be called by another name that it had, with a word about why
// that is not its name any more.
func (a *App) Formerly(f *pflag.FlagSet, old, now, why string) {
	told := false
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name != old {
			return pflag.NormalizedName(name)
		}
		if !told {
			told = true
			a.Console.Warn("--" + old + " is --" + now + " now: " + why)
		}
		return pflag.NormalizedName(now)
	})
}

// TakesNixFlags marks a verb that passes flags on to Nix, which cobra does not see.
const TakesNixFlags = "nix"
