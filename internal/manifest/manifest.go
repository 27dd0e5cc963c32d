// Package manifest is the paper that an image carries: what it was made of, with
// what, and how. It lies on the medium as livebuild.json, and says the same beside
// the image.
//
// The form is JSON, described by docs/manifest.schema.json. Equal images have equal
// manifests, byte for byte: there is no time in it but the one that all dates of the
// medium have, nothing of the machine that made it, and every list is sorted. What is
// not known beforehand, as the sizes of what is compressed, is not in it.
//
// What is read is not trusted: [Parse] bounds size and form.
package manifest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/livebuild/livebuild/internal/store"
)

// Version is that of the form. Within a version there may come fields, and readers pass
// over those that they do not know; none changes its meaning.
const Version = 1

// Kind tells a manifest from other JSON.
const Kind = "livebuild manifest"

// Manifest says what an image was made of.
type Manifest struct {
	Kind    string `json:"kind"`    // Kind
	Version int    `json:"version"` // of the form
	Tool    Tool   `json:"tool"`

	// Configuration is the attribute below nixosConfigurations, or comes from the file.
	Configuration string `json:"configuration"`
	// Flake is where it comes from; nil if it is that of a Nix file outside of flakes, of
	// which nothing is locked.
	Flake *Flake `json:"flake"`
	// Pure tells that the evaluation saw nothing but the flake: neither the environment
	// nor other files.
	Pure bool `json:"pure"`

	Platform      string `json:"platform"`       // "x86_64-linux"
	BuildPlatform string `json:"build_platform"` // that packages were built on
	Label         string `json:"label"`          // system.nixos.label
	Release       string `json:"release"`        // "24.05"

	Toplevel string   `json:"toplevel"` // store path of the system
	Kernel   string   `json:"kernel"`   // file
	Initrd   string   `json:"initrd"`   // file
	Systems  []System `json:"systems"`  // specialisations, in the order of the menu

	// Others are the further configurations on the medium, in the order of the menu. Default
	// names the one that starts by itself, if that is not the first.
	Others  []Configuration `json:"others,omitempty"`
	Default string          `json:"default,omitempty"`

	// Boot is how a boot loader or kexec starts a system without a medium; nil of an image.
	Boot *Boot `json:"boot,omitempty"`

	Settings   Settings    `json:"settings"`
	Changes    Changes     `json:"changes"`
	Roots      []string    `json:"roots"`       // store paths that the others are the closure of
	StorePaths []StorePath `json:"store_paths"` // sorted by base name, that is by hash
}

// Tool is the program that made the image.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Configuration is one of several on a medium, with fields as of a Manifest.
type Configuration struct {
	Name          string   `json:"configuration"`
	Flake         *Flake   `json:"flake"`
	Platform      string   `json:"platform"`
	BuildPlatform string   `json:"build_platform"`
	Label         string   `json:"label"`
	Release       string   `json:"release"`
	Toplevel      string   `json:"toplevel"`
	Kernel        string   `json:"kernel"`
	Initrd        string   `json:"initrd"`
	Systems       []System `json:"systems"`
	MadeLive      bool     `json:"made_live"`
}

// Configurations are all on the medium, in the order of the menu.
func (m *Manifest) Configurations() []Configuration {
	first := Configuration{
		Name: m.Configuration, Flake: m.Flake, Platform: m.Platform, BuildPlatform: m.BuildPlatform, Label: m.Label, Release: m.Release,
		Toplevel: m.Toplevel, Kernel: m.Kernel, Initrd: m.Initrd, Systems: m.Systems, MadeLive: m.Settings.MadeLive,
	}
	return append([]Configuration{first}, m.Others...)
}

// System is a specialisation of the configuration.
type System struct {
	Path     []string `json:"path"` // names from the root
	Toplevel string   `json:"toplevel"`
	Kernel   string   `json:"kernel"`
	Initrd   string   `json:"initrd"`
}

// Boot names files beside the manifest, and what the kernel is told.
type Boot struct {
	Kernel      string   `json:"kernel"`
	Initrds     []string `json:"initrds"`      // in the order in which they are loaded
	CommandLine string   `json:"command_line"` // without initrd=

	Title  string `json:"title,omitempty"`  // of the system, in the script that starts it
	Stamps bool   `json:"stamps,omitempty"` // stage 1 takes what a further initrd brings
}

// Settings are how the image was made.
type Settings struct {
	VolumeID    string   `json:"volume_id"`
	Modes       []string `json:"modes"`                  // boot modes: "bios-cd", "bios-usb", "uefi-cd", "uefi-usb", "netboot-bios", "netboot-uefi", "kexec"
	Compression string   `json:"compression"`            // of the store, as --compression takes it
	BlockSize   int      `json:"block_size"`             // of the store, in bytes
	Codec       string   `json:"codec"`                  // identity of the encoder: equal ones make equal bytes
	Epoch       int64    `json:"epoch"`                  // every date of the medium, in seconds since 1970
	MadeLive    bool     `json:"made_live"`              // the ISO module was added
	StampArea   int64    `json:"stamp_area,omitempty"`   // room for what is stamped later, in bytes
	StampParams bool     `json:"stamp_params,omitempty"` // menus take words for command lines from there
}

// Changes are those that flags made to the configuration for this image, as the flags
// take them.
type Changes struct {
	NoLive       bool     `json:"no_live,omitempty"`
	Variant      string   `json:"image_variant,omitempty"`
	Modules      []Module `json:"modules,omitempty"`
	VolumeID     string   `json:"volume_id,omitempty"`
	KernelParams []string `json:"kernel_params,omitempty"`
	SSHKeys      []string `json:"ssh_keys,omitempty"` // public
	StaticIPs    []string `json:"static_ips,omitempty"`
	MediaCheck   bool     `json:"media_check,omitempty"`
	Persistent   string   `json:"persistent,omitempty"` // PersistentPlain or PersistentLUKS
	NoLoopback   bool     `json:"no_loopback,omitempty"`
	// SecureBoot is nil of an image that nothing signs. Whose keys signed, the medium itself says.
	SecureBoot *SecureBoot `json:"secure_boot,omitempty"`

	Install       []Install `json:"install,omitempty"`
	InstallSource string    `json:"install_source,omitempty"` // none, flake or rebuild
}

// SecureBoot is how an image is that is signed.
type SecureBoot struct {
	Shim bool `json:"shim,omitempty"` // a shim starts its boot loader
	Edit bool `json:"edit,omitempty"` // the entries of its menu can be edited
}

// How a live system keeps files on its stick.
const (
	PersistentPlain = "plain"
	PersistentLUKS  = "luks" // encrypted, too
)

// Module is a file with a NixOS module. What it imports is not in the hash.
type Module struct {
	Name   string `json:"name"`             // last element of its path, or a name in angle brackets
	SHA256 string `json:"sha256,omitempty"` // in hexadecimal digits; empty for a name in angle brackets
}

// StorePath is one on the medium.
type StorePath struct {
	Path    string `json:"path"`
	NarHash string `json:"nar_hash"` // "sha256-" and base 64, as Nix prints it
	NarSize int64  `json:"nar_size"` // bytes
}

// NewStorePaths returns those of a closure.
func NewStorePaths(c *store.Closure) []StorePath {
	list := make([]StorePath, len(c.Paths))
	for i, p := range c.Paths {
		list[i] = StorePath{p.Path, FormatHash(p.NarHash), p.NarSize}
	}
	return list
}

// hashPrefix begins a SHA-256 in the form of subresource integrity (w3.org/TR/sri).
const hashPrefix = "sha256-"

// FormatHash is the form of a hash in a manifest.
func FormatHash(hash [32]byte) string {
	return hashPrefix + base64.StdEncoding.EncodeToString(hash[:])
}

// Encode returns the manifest as it lies on the medium: two spaces a level, a line feed at
// the end.
func (m *Manifest) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m.complete())
	return b.Bytes(), err
}

// complete returns the manifest with what is the same in all, and lists that are empty
// instead of missing.
func (m *Manifest) complete() *Manifest {
	c := *m
	c.Kind, c.Version = Kind, Version
	c.Systems = append([]System{}, c.Systems...)
	c.Settings.Modes = append([]string{}, c.Settings.Modes...)
	c.Roots = append([]string{}, c.Roots...)
	c.StorePaths = append([]StorePath{}, c.StorePaths...)
	c.Flake = c.Flake.complete()
	c.Others = append([]Configuration(nil), c.Others...)
	for i := range c.Others {
		c.Others[i].Flake = c.Others[i].Flake.complete()
		c.Others[i].Systems = append([]System{}, c.Others[i].Systems...)
	}
	return &c
}

// complete is the same of a flake.
func (f *Flake) complete() *Flake {
	if f == nil {
		return nil
	}
	c := *f
	c.Inputs = append([]Input{}, f.Inputs...)
	return &c
}
