package face

import (
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/figures"
)

// ShowSum shows the ends of a SHA-256, for whoever compares it with one that is published: on a
// terminal in large type, elsewhere in a line. With qr it draws all of it as a QR code, too.
func (a *App) ShowSum(sum string, qr bool) error {
	first, last := figures.Ends(sum)
	live := a.Console.Live()
	if live {
		a.Console.Line("\nSHA-256, its beginning and end:\n\n  " + strings.Join(figures.Large(first+"…"+last), "\n  ") + "\n")
	} else {
		a.Console.Line(fmt.Sprintf("SHA-256 %s…%s", first, last))
	}
	if !qr {
		return nil
	}
	lines, err := figures.QR(sum, live)
	if err != nil {
		return err
	}
	a.Console.Line(strings.Join(lines, "\n"))
	return nil
}
