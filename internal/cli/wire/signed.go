package wire

import (
	"context"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/signature"
	"github.com/livebuild/livebuild/internal/transfer"
)

// Key is the flag that says who has to have signed an image.
type Key struct{ what string }

// AddFlag adds the flag.
func (k *Key) AddFlag(f *pflag.FlagSet) {
	f.StringVar(&k.what, "key", "", "the image must be signed by `KEY`: a public key of minisign, signify or SSH, a file with it, or a file of allowed signers; the signature is beside it on the server")
}

// Signed says by whom an image must be signed, and has the signatures that there are.
type Signed struct {
	keys  *signature.Verifier // nil: by anybody
	texts [][]byte
}

// Signed reads the signatures beside the image, if there have to be some. That there is none is found
// out before the image is downloaded.
func (r *Remote) Signed(ctx context.Context, by Key) (s Signed, err error) {
	if by.what == "" {
		return s, nil
	}
	if s.keys, err = signature.ReadVerifier(by.what); err != nil {
		return s, err
	}
	for _, suffix := range []string{image.MinisignSuffix, image.SignatureSuffix} {
		text, _, err := r.beside(ctx, r.Name()+suffix)
		if err != nil {
			return s, err
		}
		if text != nil {
			s.texts = append(s.texts, text)
		}
	}
	if len(s.texts) == 0 {
		return s, &signature.MissingError{Image: r.URL}
	}
	return s, nil
}

// check returns whose signature a file has that is to be at a path.
func (s Signed) check(ctx context.Context, app *face.App, partial *transfer.Partial, path string) (signer string, err error) {
	if s.keys == nil {
		return "", nil
	}
	info, err := partial.Stat()
	if err != nil {
		return "", err
	}
	task := progress.Begin(app.Console, "checking", "the signature")
	of := signature.Image{Bytes: partial, Size: info.Size(), Name: filepath.Base(path), Progress: task.Bytes}
	var refused error
	for _, text := range s.texts {
		if signer, err = s.keys.Verify(ctx, of, text); err == nil {
			task.End(nil)
			return signer, nil
		}
		// Of several the one by the right key says most.
		if refused == nil || face.Is[*signature.OtherKeyError](refused) {
			refused = err
		}
	}
	task.Fail(refused, nil)
	return "", refused
}
