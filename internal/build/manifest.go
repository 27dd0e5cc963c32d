package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
)

// readMetadata reads what Nix says about the flakes of the systems.
func (b *Build) readMetadata(ctx context.Context) error {
	b.flakes = make([][]byte, len(b.installables))
	for n, system := range b.plan.Systems() {
		of := b.installables[n]
		if b.flakes[n] = system.Metadata; system.Metadata != nil || of.File != "" {
			continue
		}
		if n > 0 && of.Ref == b.installables[n-1].Ref {
			b.flakes[n] = b.flakes[n-1]
			continue
		}
		var text json.RawMessage
		if err := b.nix.Metadata(ctx, of.Ref, &text); err != nil {
			return err
		}
		b.flakes[n] = text
	}
	return nil
}

// manifest says what the image of a closure was made of.
func (b *Build) manifest(closure *store.Closure) (*manifest.Manifest, error) {
	systems := b.plan.Systems()
	first, err := b.configuration(0)
	if err != nil {
		return nil, err
	}
	m := &manifest.Manifest{
		Tool:          manifest.Tool{Name: "livebuild", Version: b.options.Version},
		Configuration: first.Name,
		Flake:         first.Flake,
		Pure:          !slices.Contains(b.nix.EvalFlags(), "--impure"),
		Platform:      first.Platform,
		BuildPlatform: first.BuildPlatform,
		Label:         first.Label,
		Release:       first.Release,
		Toplevel:      first.Toplevel,
		Kernel:        first.Kernel,
		Initrd:        first.Initrd,
		Systems:       first.Systems,
		Settings: manifest.Settings{
			VolumeID:    b.plan.Medium().VolumeID,
			Compression: b.plan.Store().Compression().String(),
			BlockSize:   b.plan.Store().BlockSize(),
			Codec:       b.plan.Store().Identity(),
			Epoch:       b.plan.Medium().Epoch.Unix(),
			MadeLive:    first.MadeLive,
			StampArea:   systems[0].StampArea,
			StampParams: systems[0].StampParams,
		},
		Roots:      slices.Sorted(slices.Values(b.plan.StoreContents())),
		StorePaths: manifest.NewStorePaths(closure),
	}
	for n, of := range b.installables {
		m.Pure = m.Pure && of.File == ""
		if n == 0 {
			continue
		}
		other, err := b.configuration(n)
		if err != nil {
			return nil, err
		}
		m.Others = append(m.Others, other)
	}
	if b.plan.System() != systems[0] {
		m.Default = b.plan.System().Name
	}
	for _, mode := range b.plan.Medium().Modes {
		m.Settings.Modes = append(m.Settings.Modes, string(mode))
	}
	if b.plan.Initrd() != nil {
		boot := b.Boot(nil)
		m.Boot = &manifest.Boot{Kernel: boot.Kernel, Initrds: boot.Initrds, CommandLine: strings.Join(boot.Params, " "),
			Title: boot.Title, Stamps: !systems[0].SystemdInitrd || systems[0].StampUnit}
	}
	m.Changes, err = changes(b.options.Changes)
	m.Changes.Install = b.manifestInstalls()
	return m, err
}

// configuration is the n-th of the systems, as a manifest tells it.
func (b *Build) configuration(n int) (c manifest.Configuration, err error) {
	sys := b.plan.Systems()[n]
	c = manifest.Configuration{
		Name:          sys.Name,
		Platform:      sys.Platform,
		BuildPlatform: sys.BuildPlatform,
		Label:         sys.Label,
		Release:       sys.Release,
		Toplevel:      sys.Root().Toplevel.Out,
		Kernel:        sys.Root().Kernel,
		Initrd:        sys.Root().Initrd,
		MadeLive:      sys.Extended,
	}
	for _, s := range sys.Configurations[1:] {
		c.Systems = append(c.Systems, manifest.System{Path: s.Path, Toplevel: s.Toplevel.Out, Kernel: s.Kernel, Initrd: s.Initrd})
	}
	if b.flakes[n] != nil {
		c.Flake, err = manifest.ParseFlake(b.flakes[n], installable.Configurations+"."+sys.Name)
	}
	return c, err
}

// manifestInstalls are the systems that the medium can install, as a manifest tells them.
func (b *Build) manifestInstalls() (all []manifest.Install) {
	live := b.installables[0]
	for n, i := range b.options.Changes.Install {
		t, own := b.installs[n], i.Of.Ref == live.Ref && i.Of.File == live.File
		all = append(all, manifest.NewInstall(t.Name, t.Configuration, i.Of.Ref, own))
	}
	return all
}

// changes are those of a configuration, as a manifest tells them.
func changes(c nixos.Changes) (manifest.Changes, error) {
	told := manifest.Changes{
		NoLive: c.NoLive, Variant: c.Variant, VolumeID: c.VolumeID, KernelParams: c.KernelParams, SSHKeys: c.SSHKeys, MediaCheck: c.MediaCheck, Persistent: c.Persistent,
		InstallSource: string(c.InstallSource), NoLoopback: !c.Loopback && c.Form == "",
	}
	if c.SecureBoot != nil {
		told.SecureBoot = &manifest.SecureBoot{Shim: c.SecureBoot.Shim, Edit: c.SecureBoot.Edit}
	}
	for _, ip := range c.StaticIPs {
		told.StaticIPs = append(told.StaticIPs, ip.String())
	}
	for _, file := range c.Modules {
		module, err := module(file)
		if err != nil {
			return told, err
		}
		told.Modules = append(told.Modules, module)
	}
	return told, nil
}

// module is a file of --module. A folder, of which Nix reads default.nix, is that.
func module(file string) (manifest.Module, error) {
	if installable.IsSearchPath(file) {
		return manifest.Module{Name: file}, nil
	}
	name := filepath.Base(file)
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "default.nix")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return manifest.Module{}, fmt.Errorf("reading a module: %w", err)
	}
	sum := sha256.Sum256(text)
	return manifest.Module{Name: name, SHA256: hex.EncodeToString(sum[:])}, nil
}
