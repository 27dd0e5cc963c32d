package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/secureboot"
)

// AboutSecureBoot is the heading of flags about Secure Boot.
const AboutSecureBoot = "Secure Boot, with a key of one's own"

// SecureBoot is the flags of images that start where Secure Boot is on.
type SecureBoot struct {
	key, certificate string // files
	folder           string
	passphrase       string // file
	signing          string // file
	shim             string // folder
	sbat             string // file
	edit             bool

	taken *taken // instead of keys
}

// taken is what an image has that was signed.
type taken struct {
	how  manifest.SecureBoot
	from *secureboot.Taken
}

// TakeSignatures has what is built be signed as an image is, of which its manifest says so: by the signatures that
// are on it.
func (o *Options) TakeSignatures(how manifest.SecureBoot, from *secureboot.Taken) {
	o.secureBoot.taken = &taken{how, from}
}

// AddFlags adds them.
func (o *SecureBoot) AddFlags(f *pflag.FlagSet) {
	face.Under(AboutSecureBoot, f, func() {
		f.StringVar(&o.key, "secure-boot-key", "", "sign what firmware starts by the private RSA key in `FILE`, in PEM, and have GRUB verify all that it reads")
		f.StringVar(&o.certificate, "secure-boot-cert", "", "the certificate of that key is in `FILE`, in PEM or DER")
		f.StringVar(&o.folder, "secure-boot-keys", "", "take both from the `FOLDER` in which sbctl keeps its keys, as /var/lib/sbctl/keys")
		f.StringVar(&o.passphrase, "secure-boot-passphrase-file", "", "the passphrase of that key is the first line of `FILE` (default: it is asked for)")
		f.StringVar(&o.signing, "keep-signing-key", "", "sign the files that GRUB reads by the OpenPGP key in `FILE`, which is made if it is missing (default: by one that nobody keeps)")
		f.StringVar(&o.shim, "secure-boot-shim", "", "have the shim in `FOLDER` started first (shimx64.efi, mmx64.efi), which firmware knows that does not know the key")
		f.StringVar(&o.sbat, "sbat", "", "have GRUB tell the shim what `FILE` says, instead of what is known of its version (SBAT)")
		f.BoolVar(&o.edit, "secure-boot-edit", false, "let whoever is at the boot menu edit its entries, which can turn checking off")
	})
}

// given tells whether an image is asked for that starts where Secure Boot is on.
func (o *SecureBoot) given() bool { return o.key != "" || o.certificate != "" || o.folder != "" }

// check checks the flags. Errors are of type *face.UsageError.
func (o *SecureBoot) check() error {
	switch {
	case o.folder != "" && (o.key != "" || o.certificate != ""):
		return face.Usage(errors.New("--secure-boot-keys names key and certificate: --secure-boot-key and --secure-boot-cert do not go with it"))
	case o.key != "" && o.certificate == "":
		return face.Usage(errors.New("--secure-boot-key needs --secure-boot-cert FILE, the certificate of the key"))
	case o.certificate != "" && o.key == "":
		return face.Usage(errors.New("--secure-boot-cert needs --secure-boot-key FILE, the key of the certificate"))
	case o.sbat != "" && o.shim == "":
		return face.Usage(errors.New("--sbat is what GRUB tells a shim: --secure-boot-shim FOLDER is missing"))
	case o.given():
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{{"secure-boot-passphrase-file", o.passphrase != ""}, {"keep-signing-key", o.signing != ""}, {"secure-boot-shim", o.shim != ""}, {"secure-boot-edit", o.edit}} {
		if flag.given {
			return face.Usage(fmt.Errorf("--%s is about images for Secure Boot: --secure-boot-key FILE and --secure-boot-cert FILE are missing", flag.name))
		}
	}
	return nil
}

// changes are what the evaluation is told; nil without flags.
func (o *SecureBoot) changes() *nixos.SecureBoot {
	if o.taken != nil {
		return &nixos.SecureBoot{Shim: o.taken.how.Shim, Edit: o.taken.how.Edit}
	}
	if !o.given() {
		return nil
	}
	return &nixos.SecureBoot{Shim: o.shim != "", Edit: o.edit}
}

// seal reads the keys, before any work; nil without flags.
func (o *SecureBoot) seal(ctx context.Context, a *face.App) (*secureboot.Seal, error) {
	if o.taken != nil {
		return o.taken.from.Seal(), nil
	}
	if err := o.check(); err != nil || !o.given() {
		return nil, err
	}
	keys, err := o.keys(ctx, a)
	if err != nil {
		return nil, err
	}
	if secureboot.Expired(keys.Certificate, time.Now()) {
		a.Console.Warn(fmt.Sprintf("the certificate in %s was valid until %s: firmware does not ask, but tools refuse to enrol it",
			cmp.Or(o.certificate, o.folder), keys.Certificate.NotAfter.Format(time.DateOnly)))
	}
	var sbat secureboot.SBAT
	if o.sbat != "" {
		if sbat, err = secureboot.ReadSBAT(o.sbat); err != nil {
			return nil, err
		}
	}
	var signing *secureboot.SigningKey
	if o.signing != "" {
		made := false
		if signing, made, err = secureboot.OpenSigningKey(o.signing); err != nil {
			return nil, err
		}
		if made {
			a.Console.Line(fmt.Sprintf("%s has a new key, which can sign for images made with it: keep it to yourself", o.signing))
		}
	}
	return secureboot.NewSeal(keys, signing, o.shim, sbat)
}

func (o *SecureBoot) keys(ctx context.Context, a *face.App) (*secureboot.Keys, error) {
	passphrase := a.Passphrase(ctx, o.passphrase)
	if o.folder != "" {
		return secureboot.ReadFolder(o.folder, passphrase)
	}
	return secureboot.ReadKeys(o.key, o.certificate, passphrase)
}
