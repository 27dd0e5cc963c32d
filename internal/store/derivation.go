package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Derivation is what a .drv file says: who can build it, and of what.
type Derivation struct {
	System  string // "x86_64-linux"
	Builder string // program, or "builtin:…" for what Nix does itself

	Outputs     map[string]string   // name → store path; empty of one that is known by its content
	Inputs      map[string][]string // derivation → names of its outputs
	Environment map[string]string
}

// Local reports whether it is said to be cheaper to build than to fetch: what a configuration makes
// for itself of text and links (nixpkgs, doc/build-helpers/trivial-build-helpers, runCommandLocal).
func (d Derivation) Local() bool {
	if attributes, ok := d.Environment["__json"]; ok { // __structuredAttrs
		var said struct {
			PreferLocalBuild bool  `json:"preferLocalBuild"`
			AllowSubstitutes *bool `json:"allowSubstitutes"`
		}
		err := json.Unmarshal([]byte(attributes), &said)
		return err == nil && said.PreferLocalBuild && said.AllowSubstitutes != nil && !*said.AllowSubstitutes
	}
	substitutes, said := d.Environment["allowSubstitutes"]
	return d.Environment["preferLocalBuild"] == "1" && said && substitutes != "1"
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

// parseDerivation reads a derivation in the ATerm format (Nix manual, "Derivation", and
// libstore/derivations.cc):
//
//	Derive([outputs],[derivations],[sources],"system","builder",[arguments],[environment])
//
// Newer Nix has a second form that begins with DrvWithVersion("xp-dyn-drv", in which the outputs
// that are wanted of a derivation can be a tuple; their first member is the list.
func parseDerivation(text string) (Derivation, error) {
	rest, ok := strings.CutPrefix(text, "Derive")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "DrvWithVersion"); !ok {
			return Derivation{}, errNoDerivation
		}
	}
	p := termParser{text: rest}
	whole := p.term(0)
	if p.failed || p.text != "" {
		return Derivation{}, errNoDerivation
	}
	fields := whole.list
	if len(fields) == 8 { // the name of the version first
		fields = fields[1:]
	}
	if len(fields) != 7 {
		return Derivation{}, errNoDerivation
	}
	d := Derivation{System: fields[3].text, Builder: fields[4].text, Outputs: map[string]string{}, Inputs: map[string][]string{}, Environment: map[string]string{}}
	for _, o := range fields[0].list {
		if len(o.list) < 2 {
			return Derivation{}, errNoDerivation
		}
		d.Outputs[o.list[0].text] = o.list[1].text
	}
	for _, i := range fields[1].list {
		if len(i.list) < 2 {
			return Derivation{}, errNoDerivation
		}
		names := i.list[1].list
		if len(names) > 0 && names[0].list != nil {
			names = names[0].list
		}
		for _, name := range names {
			d.Inputs[i.list[0].text] = append(d.Inputs[i.list[0].text], name.text)
		}
	}
	for _, v := range fields[6].list {
		if len(v.list) != 2 {
			return Derivation{}, errNoDerivation
		}
		d.Environment[v.list[0].text] = v.list[1].text
	}
	return d, nil
}

// term is a string, or a list or tuple of terms.
type term struct {
	text string
	list []term // not nil of a list
}

// termParser has what is still to be read.
type termParser struct {
	text   string
	failed bool
}

// deepest is how far terms of derivations lie in each other: version 2 has 6.
const deepest = 16

func (p *termParser) term(depth int) (t term) {
	if p.text == "" || depth > deepest {
		p.failed = true
		return t
	}
	open := p.text[0]
	p.text = p.text[1:]
	switch open {
	case '"':
		return term{text: p.quoted()}
	case '[', '(':
	default:
		p.failed = true
		return t
	}
	end := byte(']')
	if open == '(' {
		end = ')'
	}
	t.list = []term{}
	if strings.HasPrefix(p.text, string(end)) {
		p.text = p.text[1:]
		return t
	}
	for {
		t.list = append(t.list, p.term(depth+1))
		if p.failed || p.text == "" || p.text[0] != ',' && p.text[0] != end {
			p.failed = true
			return t
		}
		last := p.text[0] == end
		if p.text = p.text[1:]; last {
			return t
		}
	}
}

// quoted reads a string up to the quote that ends it (parseString in libstore/derivations.cc).
func (p *termParser) quoted() string {
	var b strings.Builder
	for i := 0; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '"':
			p.text = p.text[i+1:]
			return b.String()
		case '\\':
			if i++; i == len(p.text) {
				break
			}
			switch c := p.text[i]; c {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	p.failed = true
	return ""
}
