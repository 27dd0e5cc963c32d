package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Derivation is what a .drv file says about who can build it.
type Derivation struct {
	System  string // "x86_64-linux"
	Builder string // program, or "builtin:…" for what Nix does itself
}

// Anywhere reports whether every Nix builds it, whatever its system is
// (isBuiltin and canBuildLocally in libstore/parsed-derivations.cc).
func (d Derivation) Anywhere() bool {
	return strings.HasPrefix(d.Builder, "builtin:")
}

// ReadDerivation reads a .drv file of a store on this machine.
func ReadDerivation(file string) (Derivation, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Derivation{}, err
	}
	d, err := parseDerivation(string(text))
	if err != nil {
		return Derivation{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return d, nil
}

var errNoDerivation = errors.New("this is no derivation")

// parseDerivation reads the fields of a derivation in the ATerm format
// (Nix manual, "Derivation", and libstore/derivations.cc):
//
//	Derive([outputs],[derivations],[sources],"system","builder",[arguments],[environment])
//
// Newer Nix has a second form that begins with DrvWithVersion("xp-dyn-drv",
func parseDerivation(text string) (Derivation, error) {
	rest, ok := strings.CutPrefix(text, "Derive(")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "DrvWithVersion("); !ok {
			return Derivation{}, errNoDerivation
		}
		if _, rest, ok = cutTerm(rest); !ok {
			return Derivation{}, errNoDerivation
		}
	}
	for range 3 { // outputs, derivations, sources
		if _, rest, ok = cutTerm(rest); !ok {
			return Derivation{}, errNoDerivation
		}
	}
	system, rest, ok := cutTerm(rest)
	if !ok {
		return Derivation{}, errNoDerivation
	}
	builder, _, ok := cutTerm(rest)
	if !ok {
		return Derivation{}, errNoDerivation
	}
	return Derivation{System: unquoteTerm(system), Builder: unquoteTerm(builder)}, nil
}

// cutTerm cuts the first term, a string or a list, and the comma behind it off.
func cutTerm(text string) (term, rest string, ok bool) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')':
			if depth--; depth < 0 {
				return "", "", false
			}
		case c == ',' && depth == 0:
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}

// unquoteTerm returns the content of a string: systems and the names of builders
// have nothing in them that needs a backslash.
func unquoteTerm(term string) string { return strings.Trim(term, `"`) }
