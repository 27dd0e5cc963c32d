package request

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/stamp"
)

// AboutChanges is the heading of flags that change a configuration.
const AboutChanges = "Changes to the configuration"

// Configuration is the flags of everything that begins with a
// configuration: where it is, and what is changed in it for one image.
type Configuration struct {
	file        string
	noEvalCache bool

	noLive       bool
	variant      string
	modules      []string
	volumeID     string
	kernelParams []string
	sshKeys      []string
	staticIPs    []string
	mediaCheck   bool
	loopback     bool
	persistent   string
	stampArea    string
	stampParams  bool
	stamped      *pflag.Flag // of stampArea
	install      installs

	// Form is what is made of the configuration; flags about a medium are there for one alone.
	Form nixos.Form
}

func (o *Configuration) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "",
		"take the configuration from a Nix `FILE` outside of flakes; INSTALLABLE is then a name in it, if it has several")
	f.BoolVar(&o.noEvalCache, "no-eval-cache", false, "evaluate even what a flake is known to say")
	face.Under(AboutChanges, f, func() { o.addChangeFlags(f) })
	if o.Form == "" {
		face.Under(AboutInstall, f, func() { o.install.addFlags(f) })
	}
	cmd.Annotations = map[string]string{face.TakesNixFlags: "yes"}
}

// addChangeFlags adds those that change a configuration for one image.
func (o *Configuration) addChangeFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.noLive, "no-live", false, "refuse a configuration without nixpkgs' ISO module, instead of adding it")
	f.StringVar(&o.variant, "image-variant", "",
		"make the image with the `VARIANT` of image.modules, as nixos-rebuild build-image does (default: iso, where the ISO module is added)")
	// Arrays, not slices: a comma belongs to the value.
	f.StringArrayVar(&o.modules, "module", nil, "add a NixOS module from `FILE` (repeatable; evaluates as with --impure)")
	if o.Form == "" {
		f.StringVar(&o.volumeID, "volume-id", "", "label the medium `ID` instead of isoImage.volumeID")
	}
	f.StringArrayVar(&o.kernelParams, "kernel-param", nil, "add `PARAM` to the kernel's command line (repeatable)")
	f.StringArrayVar(&o.sshKeys, "ssh-key", nil, "start an SSH server that lets root in with the public `KEY`, or those in a file (repeatable)")
	f.StringArrayVar(&o.staticIPs, "static-ip", nil,
		"give an interface an address: `IFACE=ADDR/PREFIX`, then for a gateway ,gw=ADDR and for name servers ,dns=ADDR (repeatable)")
	if o.Form != "" {
		return
	}
	f.StringVar(&o.persistent, "persistent", "",
		"have the live system keep its files on the stick it starts from, if 'livebuild write --persist' made room for them; `luks`: encrypted, too")
	f.Lookup("persistent").NoOptDefVal = manifest.PersistentPlain
	f.StringVar(&o.stampArea, "stamp-area", "", "give the image room of `SIZE` for what 'livebuild stamp' puts there later, 0 for none (default: 256K, but none with a stage 1 of systemd, which needs a unit for it)")
	o.stamped = f.Lookup("stamp-area")
	f.BoolVar(&o.stampParams, "stamp-params", false, "have the boot menus take the words for the kernel's command line, too, that 'livebuild stamp --kernel-param' puts there later")
	f.BoolVar(&o.mediaCheck, "media-check", false,
		"add a boot menu entry that checks the medium before anything is started from it")
	f.BoolVar(&o.loopback, "loopback", true,
		"have a stage 1 of systemd find an image that is a file on a disk, as GRUB and Ventoy start it; a scripted one does without being changed")
}

// area is what --stamp-area says, or nil without it.
func (o *Configuration) area() (*int64, error) {
	if o.stamped == nil || !o.stamped.Changed {
		if o.stampParams {
			size := int64(image.DefaultStampArea)
			return &size, nil
		}
		return nil, nil
	}
	if o.stampArea == "0" {
		if o.stampParams {
			return nil, face.Usage(errors.New("--stamp-params needs the area that --stamp-area 0 takes away"))
		}
		return new(int64), nil
	}
	size, err := face.ParseSize(o.stampArea, 'K')
	if err == nil && (size < stamp.MinArea || size > stamp.MaxArea || size%512 != 0) {
		err = fmt.Errorf("%s is not between %dK and %dM, in sectors of 512 bytes", o.stampArea, stamp.MinArea>>10, stamp.MaxArea>>20)
	}
	if err != nil {
		return nil, face.Usage(fmt.Errorf("--stamp-area: %w", err))
	}
	return &size, nil
}

// OneInstallable wants an installable, which --file stands for, too.
func OneInstallable(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && cmd.Flags().Changed("file") {
		return nil
	}
	return face.CheckOne(args, "which configuration? an installable is missing", "one installable is wanted, not %d")
}

// SomeInstallables wants installables, which --file stands for, too.
func SomeInstallables(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return nil
	}
	return OneInstallable(cmd, args)
}

// ParseAll reads what names the configurations of one medium: arguments that SomeInstallables
// admits, and --file. Its error is a *face.UsageError.
func (o *Configuration) ParseAll(args []string) ([]installable.Installable, error) {
	if len(args) == 0 {
		of, err := o.Parse(nil)
		return []installable.Installable{of}, err
	}
	all := make([]installable.Installable, len(args))
	for i := range args {
		var err error
		if all[i], err = o.Parse(args[i : i+1]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Parse reads what names the configuration: arguments that
// OneInstallable admits, and --file. Its error is a *face.UsageError.
func (o *Configuration) Parse(args []string) (of installable.Installable, err error) {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	if o.file != "" {
		of, err = installable.OfFile(o.file, name)
	} else {
		of, err = installable.Parse(name)
	}
	if err != nil {
		return of, face.Usage(err)
	}
	return of, nil
}

// OfFile reports whether the configuration is one of a file, outside of flakes.
func (o *Configuration) OfFile() bool { return o.file != "" }

// Subject is what a verb works on: the file of an image, or a disk with one, or a
// configuration that is built first.
type Subject struct {
	Image       string // empty for a configuration
	Installable installable.Installable
}

// Subject tells an image from an installable.
func (o *Configuration) Subject(args []string) (Subject, error) {
	if o.file == "" {
		isImage, err := medium.NamesImage(args[0])
		if err != nil {
			return Subject{}, err
		}
		if isImage {
			return Subject{Image: args[0]}, nil
		}
	}
	of, err := o.Parse(args)
	return Subject{Installable: of}, err
}

// changes reads the flags. Errors are of type *face.UsageError.
func (o *Configuration) changes(of installable.Installable) (c nixos.Changes, err error) {
	defer func() {
		if err != nil {
			err = face.Usage(err)
		}
	}()
	if o.noLive && o.variant != "" {
		return c, errors.New("--no-live and --image-variant exclude each other")
	}
	c = nixos.Changes{Form: o.Form, NoLive: o.noLive, Variant: o.variant, VolumeID: o.volumeID, KernelParams: o.kernelParams, MediaCheck: o.mediaCheck, Loopback: o.loopback, Persistent: o.persistent}
	if o.persistent != "" && o.persistent != manifest.PersistentPlain && o.persistent != manifest.PersistentLUKS {
		return c, fmt.Errorf("--persistent takes nothing, or %s, not %q", manifest.PersistentLUKS, o.persistent)
	}
	for _, text := range o.modules {
		file, err := nixos.ModuleFile(text)
		if err != nil {
			return c, fmt.Errorf("--module: %w", err)
		}
		c.Modules = append(c.Modules, file)
	}
	if o.volumeID != "" {
		if err := nixos.CheckVolumeID(o.volumeID); err != nil {
			return c, fmt.Errorf("--volume-id: %w", err)
		}
	}
	for _, text := range o.kernelParams {
		if text == "" {
			return c, errors.New("--kernel-param: a parameter is missing")
		}
	}
	for _, text := range o.sshKeys {
		keys, err := nixos.ReadSSHKeys(text)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%q is neither a public key nor a file", text)
		}
		if err != nil {
			return c, fmt.Errorf("--ssh-key: %w", err)
		}
		c.SSHKeys = append(c.SSHKeys, keys...)
	}
	if c.StaticIPs, err = nixos.ParseStaticIPs(o.staticIPs); err != nil {
		return c, fmt.Errorf("--static-ip: %w", err)
	}
	return c, o.install.changes(&c, of)
}
