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

	"github.com/livebuild/livebuild/internal/installable"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
)

// metadata is what Nix says about the flake, or nil of a file.
func (b *Build) metadata(ctx context.Context) ([]byte, error) {
	if known := b.plan.System().Metadata; known != nil || b.installable.File != "" {
		return known, nil
	}
	var text json.RawMessage
	err := b.nix.Metadata(ctx, b.installable.Ref, &text)
	return text, err
}

// manifest says what the image of a closure was made of.
func (b *Build) manifest(closure *store.Closure) (*manifest.Manifest, error) {
	sys := b.plan.System()
	m := &manifest.Manifest{
		Tool:          manifest.Tool{Name: "livebuild", Version: b.options.Version},
		Configuration: sys.Name,
		Pure:          b.installable.File == "" && !slices.Contains(b.nix.EvalFlags(), "--impure"),
		Platform:      sys.Platform,
		BuildPlatform: sys.BuildPlatform,
		Label:         sys.Label,
		Release:       sys.Release,
		Toplevel:      sys.Root().Toplevel.Out,
		Kernel:        sys.Root().Kernel,
		Initrd:        sys.Root().Initrd,
		Settings: manifest.Settings{
			VolumeID:    b.plan.Medium().VolumeID,
			Compression: b.plan.Store().Compression().String(),
			BlockSize:   b.plan.Store().BlockSize(),
			Codec:       b.plan.Store().Identity(),
			Epoch:       b.plan.Medium().Epoch.Unix(),
			MadeLive:    sys.Extended,
			StampArea:   sys.StampArea,
		},
		Roots:      slices.Sorted(slices.Values(sys.StoreContents)),
		StorePaths: manifest.NewStorePaths(closure),
	}
	for _, c := range sys.Configurations[1:] {
		m.Systems = append(m.Systems, manifest.System{Path: c.Path, Toplevel: c.Toplevel.Out, Kernel: c.Kernel, Initrd: c.Initrd})
	}
	for _, mode := range b.plan.Medium().Modes {
		m.Settings.Modes = append(m.Settings.Modes, string(mode))
	}
	var err error
	if b.flake != nil {
		if m.Flake, err = manifest.ParseFlake(b.flake, installable.Configurations+"."+sys.Name); err != nil {
			return nil, err
		}
	}
	m.Changes, err = changes(b.options.Changes)
	return m, err
}

// changes are those of a configuration, as a manifest tells them.
func changes(c nixos.Changes) (manifest.Changes, error) {
	told := manifest.Changes{
		NoLive: c.NoLive, Variant: c.Variant, VolumeID: c.VolumeID, KernelParams: c.KernelParams, SSHKeys: c.SSHKeys, MediaCheck: c.MediaCheck,
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
