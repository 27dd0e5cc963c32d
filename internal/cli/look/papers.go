package look

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/signature"
	"github.com/livebuild/livebuild/internal/verify"
)

// paperOptions are what an image is held against that goes with it.
type paperOptions struct {
	key       string
	signature string
	manifest  string
	qr        bool
}

func (o *paperOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.key, "key", "", "the image must be signed by `KEY`: a public key of minisign, signify or SSH, a file with it, or a file of allowed signers")
	f.StringVar(&o.signature, "signature", "", "take the signature from `FILE` (default: IMAGE.minisig or IMAGE.sig)")
	f.BoolVar(&o.qr, "qr", false, "draw the SHA-256 as a QR code, too")
	f.StringVar(&o.manifest, "manifest", "", "hold the image against the manifest in `FILE`, and do not believe that on the medium")
}

// check finds out before any work what can be known of the flags.
func (o *paperOptions) check() error {
	if o.signature != "" && o.key == "" {
		return face.Usage(errors.New("--signature needs --key: who has to have signed?"))
	}
	return nil
}

// readManifest reads the manifest to hold the image against, or nothing.
func (o *paperOptions) readManifest() (m *manifest.Manifest, err error) {
	if o.manifest == "" {
		return nil, nil
	}
	f, err := os.Open(o.manifest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if m, err = manifest.Read(f); err != nil {
		return nil, fmt.Errorf("%s: %w", o.manifest, err)
	}
	return m, nil
}

// signedFile checks the signature of the file, as it is stored: of one in parts, of all.
func (v *verifying) signedFile(ctx context.Context) (err error) {
	if v.options.papers.key == "" {
		return nil
	}
	f, err := imagefile.Open(v.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return v.signed(ctx, f.Stored(), f.FileSize)
}

// signedDisk checks the signature of the image on a disk.
func (v *verifying) signedDisk(ctx context.Context, m *medium.Medium) error {
	if v.options.papers.key == "" {
		return nil
	}
	return v.signed(ctx, m.ReaderAt(), verify.ImageSize(m))
}

// signed checks a signature of the image. One that is not of the image is a finding.
func (v *verifying) signed(ctx context.Context, r io.ReaderAt, size int64) error {
	keys, err := signature.ReadVerifier(v.options.papers.key)
	if err != nil {
		return err
	}
	texts, err := v.signatures()
	if err != nil {
		return err
	}
	task := progress.Begin(v.app.Console, "checking", "the signature")
	of := signature.Image{Bytes: r, Size: size, Name: v.path, Progress: task.Bytes}
	var refused error
	for _, text := range texts {
		signer, err := keys.Verify(ctx, of, text)
		if err == nil {
			v.result.SignedBy = signer
			task.End(nil)
			return nil
		}
		// Of several the one by the right key says most.
		if refused == nil || face.Is[*signature.OtherKeyError](refused) {
			refused = err
		}
	}
	task.Fail(refused, nil)
	if face.Is[*signature.MismatchError](refused) {
		return v.found(verify.Finding{Structure: "image", Offset: -1, Err: refused})
	}
	return refused
}

// signatures are the texts of the one that is named, or of those beside the image.
func (v *verifying) signatures() (texts [][]byte, err error) {
	files := []string{v.options.papers.signature}
	if files[0] == "" {
		whole := imagefile.WholeName(v.path)
		files = []string{whole + image.MinisignSuffix, whole + image.SignatureSuffix}
	}
	for _, file := range files {
		text, err := readSignature(file)
		if errors.Is(err, fs.ErrNotExist) && v.options.papers.signature == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, &signature.MissingError{Image: filepath.Base(v.path)}
	}
	return texts, nil
}

// readSignature reads a file, of which more than a signature can have is read and refused later.
func readSignature(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, signature.MaxText+1))
}
