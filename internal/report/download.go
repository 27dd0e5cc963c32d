package report

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/imagefile"
)

// Download is what became of an image on a web server.
type Download struct {
	File       string  `json:"file"`
	URL        string  `json:"url"`
	Size       int64   `json:"size"`       // bytes
	SHA256     string  `json:"sha256"`     // of the file
	Downloaded int64   `json:"downloaded"` // bytes, with tables and what came in vain
	Saved      int64   `json:"saved"`      // bytes of the image that were here
	Trust      Trust   `json:"trust"`
	Seconds    float64 `json:"seconds"`

	Place string `json:"-"` // the file as the user calls it
}

// Trust is what vouches for an image that was downloaded.
type Trust struct {
	By     string `json:"by"`               // "signature", "user", "server", "tls" or "nothing"
	Source string `json:"source,omitempty"` // of the checksum; who signed
}

// TrustIn is what vouches for an image: a signature, a checksum, or nil, or the connection.
func TrustIn(signer string, sum *imagefile.Checksum, secure bool) Trust {
	switch {
	case signer != "":
		return Trust{"signature", signer}
	case sum != nil && sum.OfEither: // as only a user gives it
		return Trust{"user", sum.Source}
	case sum != nil && secure:
		return Trust{"server", sum.Source}
	case secure:
		return Trust{By: "tls"}
	case sum != nil:
		return Trust{"nothing", sum.Source}
	}
	return Trust{By: "nothing"}
}

func (t Trust) String() string {
	switch t.By {
	case "signature":
		return "it is signed by " + t.Source
	case "user":
		return "it has the SHA-256 of " + t.Source
	case "server":
		return "it has the SHA-256 of " + t.Source + ", for which the server vouches"
	case "tls":
		return "nothing vouches for it but the server: it came by TLS, and has no checksum"
	}
	if t.Source != "" {
		return "it is whole by " + t.Source + ", but nothing vouches for either: they came without TLS"
	}
	return "nothing vouches for it: it came without TLS, and has no checksum"
}

// Summary is what was done, and what the image is worth, in a sentence.
func (d Download) Summary() string {
	return fmt.Sprintf("downloaded %s for an image of %s, of which %s were here (%s); %s",
		human.Size(d.Downloaded), human.Size(d.Size), human.Size(d.Saved), human.Percent(d.Saved, d.Size), d.Trust)
}

// Text is the name of the file.
func (d Download) Text(w io.Writer) error {
	_, err := fmt.Fprintln(w, d.Place)
	return err
}
