package create

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/build"
	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/progress"
	"github.com/livebuild/livebuild/internal/sbom"
	"github.com/livebuild/livebuild/internal/signature"
	"github.com/livebuild/livebuild/internal/store"
)

// AboutPapers is the heading of flags about what goes with an image.
const AboutPapers = "Beside the image"

// paperOptions say what goes with an image.
type paperOptions struct {
	checksum   bool
	manifest   bool
	bills      []string // formats
	keys       []string // files of those that sign
	passphrase string   // file with it
}

func (o *paperOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.checksum, "checksum", true, "write the SHA-256 to NAME.iso.sha256, which 'sha256sum --check' and 'livebuild write' read")
	f.BoolVar(&o.manifest, "manifest", false, "write what the image was made of to NAME.iso.manifest.json, too, which on the medium is livebuild.json")
	f.StringSliceVar(&o.bills, "sbom", nil, "write a bill of materials in the `FORMAT` spdx (NAME.iso.spdx.json) or cyclonedx (NAME.iso.cdx.json), or in both")
	f.StringArrayVar(&o.keys, "sign", nil, "sign the image by the secret key of minisign or signify, or the private SSH key, in the file `KEY` (repeatable)")
	f.StringVar(&o.passphrase, "passphrase-file", "", "the passphrase of the key is the first line of `FILE` (default: it is asked for)")
}

// papers are what goes with an image, ready to be made.
type papers struct {
	paperOptions
	signers map[string]*signature.Signer // by the suffix of what they make
	formats []billFormat

	closure  *store.Closure // after ready
	packages map[string]nixos.Package
}

// billFormat is one of bills of materials.
type billFormat struct {
	name, suffix string
	write        func(sbom.Image) ([]byte, error)
}

var billFormats = []billFormat{
	{"spdx", image.SPDXSuffix, sbom.SPDX},
	{"cyclonedx", image.CycloneDXSuffix, sbom.CycloneDX},
}

// signatureSuffixes are where the programs that check signatures look for them.
var signatureSuffixes = map[signature.Kind]string{
	signature.Minisign: image.MinisignSuffix,
	signature.Signify:  image.SignatureSuffix,
	signature.SSH:      image.SignatureSuffix,
}

// prepare opens the keys, before any work: who has to type a passphrase can leave then.
func (o paperOptions) prepare(ctx context.Context, app *face.App) (*papers, error) {
	p := &papers{paperOptions: o, signers: map[string]*signature.Signer{}}
	for _, name := range o.bills {
		n := slices.IndexFunc(billFormats, func(f billFormat) bool { return f.name == name })
		if n < 0 {
			return nil, face.Usage(fmt.Errorf("--sbom: there is no format %q; there are spdx and cyclonedx", name))
		}
		if !slices.ContainsFunc(p.formats, func(f billFormat) bool { return f.name == name }) {
			p.formats = append(p.formats, billFormats[n])
		}
	}
	for _, key := range o.keys {
		signer, err := signature.ReadSigner(key, app.Passphrase(ctx, o.passphrase))
		if err != nil {
			return nil, err
		}
		suffix := signatureSuffixes[signer.Kind]
		if p.signers[suffix] != nil {
			return nil, face.Usage(fmt.Errorf("--sign: two keys would write NAME.iso%s; sign by one of them", suffix))
		}
		p.signers[suffix] = signer
	}
	return p, nil
}

// suffixes are those of the files that will be beside the image.
func (p *papers) suffixes() (list []string) {
	if p.checksum {
		list = append(list, image.ChecksumSuffix)
	}
	if p.manifest {
		list = append(list, image.ManifestSuffix)
	}
	for _, f := range p.formats {
		list = append(list, f.suffix)
	}
	return append(list, p.signatures()...)
}

// ready finds out before the image is packed whether its files have their places, and what is to be known
// of the packages.
func (p *papers) ready(ctx context.Context, b *build.Build, out *image.Output, force bool) (err error) {
	if err := out.CheckBeside(p.suffixes(), force); err != nil {
		return err
	}
	if len(p.formats) > 0 {
		p.closure, p.packages, err = b.Packages(ctx)
	}
	return err
}

func (p *papers) signatures() (list []string) {
	for suffix := range p.signers {
		list = append(list, suffix)
	}
	slices.Sort(list)
	return list
}

// write makes the files that go beside an image, which is complete and in one piece.
func (p *papers) write(ctx context.Context, app *face.App, out *image.Output, sum string, packed build.Result) (list []image.Beside, err error) {
	if _, split := out.Parts(); p.checksum && split == "" { // parts have a file of their own
		list = append(list, out.Checksum(sum))
	}
	if p.manifest {
		list = append(list, image.Beside{Suffix: image.ManifestSuffix, Data: packed.Manifest})
	}
	if list, err = p.writeBills(list, out, packed.Manifest); err != nil {
		return nil, err
	}
	for _, suffix := range p.signatures() {
		name := out.BesidePath("")
		task := progress.Begin(app.Console, "signing", filepath.Base(name))
		text, err := p.signers[suffix].Sign(ctx, signature.Image{Bytes: out, Size: packed.FileSize, Name: name, Progress: task.Bytes})
		if err != nil {
			task.Fail(err, nil)
			return nil, err
		}
		task.End(nil)
		list = append(list, image.Beside{Suffix: suffix, Data: text})
	}
	return list, nil
}

// writeBills adds the bills of materials to a list of files.
func (p *papers) writeBills(list []image.Beside, out *image.Output, text []byte) ([]image.Beside, error) {
	if len(p.formats) == 0 {
		return list, nil
	}
	m, err := manifest.Parse(text)
	if err != nil {
		return nil, err
	}
	of := sbom.Image{Name: filepath.Base(out.BesidePath("")), Manifest: m, Text: text, Closure: p.closure, Packages: p.packages}
	for _, f := range p.formats {
		bill, err := f.write(of)
		if err != nil {
			return nil, err
		}
		list = append(list, image.Beside{Suffix: f.suffix, Data: bill})
	}
	return list, nil
}

// paths are where the files are that go with an image.
func (p *papers) paths(out *image.Output) (paths []string, err error) {
	for _, suffix := range p.suffixes() {
		path, err := filepath.Abs(out.BesidePath(suffix))
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
