package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/pflag"

	"github.com/livebuild/livebuild/internal/nixos"
)

// changeOptions are the flags that change a configuration for one image.
type changeOptions struct {
	noLive       bool
	modules      []string
	volumeID     string
	kernelParams []string
	sshKeys      []string
	staticIPs    []string
}

func (o *changeOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.noLive, "no-live", false, "refuse a configuration without nixpkgs' ISO module, instead of adding it")
	// Arrays, not slices: a comma belongs to the value.
	f.StringArrayVar(&o.modules, "module", nil, "add a NixOS module from `FILE` (repeatable; evaluates as with --impure)")
	f.StringVar(&o.volumeID, "volume-id", "", "label the medium `ID` instead of isoImage.volumeID")
	f.StringArrayVar(&o.kernelParams, "kernel-param", nil, "add `PARAM` to the kernel's command line (repeatable)")
	f.StringArrayVar(&o.sshKeys, "ssh-key", nil, "start an SSH server that lets root in with the public `KEY`, or those in a file (repeatable)")
	f.StringArrayVar(&o.staticIPs, "static-ip", nil,
		"give an interface an address: `IFACE=ADDR/PREFIX`, then for a gateway ,gw=ADDR and for name servers ,dns=ADDR (repeatable)")
}

// changes reads the flags. Errors are of type *usageError.
func (o *changeOptions) changes() (c nixos.Changes, err error) {
	defer func() {
		if err != nil {
			err = &usageError{err}
		}
	}()
	c = nixos.Changes{NoLive: o.noLive, VolumeID: o.volumeID, KernelParams: o.kernelParams}
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
	return c, nil
}
