package cli

import (
	"encoding/json"
	"io"
)

// result is what a verb found out or made. With --json it is an object as its fields
// say, without it is what Text writes for people.
type result interface{ Text(io.Writer) error }

// print prints a result on standard output.
func (a *app) print(r result, asJSON bool) error {
	if !asJSON {
		return r.Text(a.out)
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
