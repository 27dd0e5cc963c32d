// Command dist packs a build of livebuild for Debian and for Fedora, and what is of their kind.
//
// It is a module of its own: nfpm, which writes such packages, brings a hundred other modules,
// and nobody who builds livebuild should have to fetch them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// build is what is packed.
type build struct {
	root    string // a folder with the files as they are installed
	version string // such as "0.1.0"
	arch    string // as Go calls it
	time    time.Time
}

func main() {
	var b build
	var out string
	var epoch int64
	flag.StringVar(&b.root, "root", "", "pack the files of `FOLDER`, which has them as they are installed")
	flag.StringVar(&b.version, "version", "", "`VERSION` of the packages")
	flag.StringVar(&b.arch, "arch", "", "`ARCH` of the program: amd64 or arm64")
	flag.Int64Var(&epoch, "epoch", 0, "date everything `SECONDS` after 1970")
	flag.StringVar(&out, "o", ".", "write the packages into `FOLDER`")
	flag.Parse()
	b.time = time.Unix(epoch, 0).UTC()
	for _, kind := range []string{"deb", "rpm"} {
		name, err := b.write(kind, out)
		if err != nil {
			fmt.Fprintln(os.Stderr, "dist:", err)
			os.Exit(1)
		}
		fmt.Println(name)
	}
}

// write writes a package of a kind that nfpm knows into a folder, and returns its name.
func (b build) write(kind, folder string) (name string, err error) {
	if b.root == "" || b.version == "" || b.arch == "" {
		return "", errors.New("-root, -version and -arch are needed")
	}
	packager, err := nfpm.Get(kind)
	if err != nil {
		return "", err
	}
	contents, err := b.contents(kind)
	if err != nil {
		return "", err
	}
	info := b.info(kind)
	info.Contents = contents
	info = nfpm.WithDefaults(info)
	name = filepath.Join(folder, packager.ConventionalFileName(info))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	err = errors.Join(packager.Package(info, f), f.Close())
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", name, err), os.Remove(name))
	}
	return name, nil
}

// info is what a package says of itself.
func (b build) info(kind string) *nfpm.Info {
	info := &nfpm.Info{
		Name:        "livebuild",
		Arch:        b.arch,
		Platform:    "linux",
		Version:     b.version,
		Release:     "1",
		Section:     "admin",
		Priority:    "optional",
		Maintainer:  "The livebuild authors <livebuild@users.noreply.github.com>",
		Vendor:      "livebuild",
		Homepage:    "https://github.com/livebuild/livebuild",
		License:     "MIT",
		Description: description,
		MTime:       b.time,
	}
	// Nix is mostly installed by its own installer, which a package of Nix would be in the way of.
	switch kind {
	case "deb":
		info.Recommends = []string{"git"}
		info.Suggests = []string{"nix-bin", "ovmf", "qemu-efi-aarch64", "qemu-system-arm", "qemu-system-x86", "qemu-user-static"}
		info.Deb.Compression = "xz"
	case "rpm":
		info.Recommends = []string{"git-core"}
		info.Suggests = []string{"edk2-aarch64", "edk2-ovmf", "nix", "qemu-system-aarch64-core", "qemu-system-x86-core", "qemu-user-static-aarch64"}
		info.RPM.Summary, _, _ = strings.Cut(description, "\n")
		info.RPM.Group = "Applications/System"
		info.RPM.Compression = "xz"
		info.RPM.BuildHost = "livebuild" // not the name of whatever machine it is
	}
	return info
}

// description is a line, and then lines that Debian wants shorter than 80 columns.
const description = `Turns NixOS configurations into bootable live images
Nix evaluates and builds a configuration of a flake; livebuild packs the
result: a compressed store, boot menus for BIOS and UEFI, and an ISO file that
starts a machine as a disc and, copied byte by byte, as a USB stick. It writes
sticks, checks them, and tries images in virtual machines.`

// onlyFor are the folders whose files go into packages of one kind.
var onlyFor = map[string]string{
	"usr/share/zsh/vendor-completions": "deb",
	"usr/share/lintian":                "deb",
	"usr/share/doc":                    "deb",
	"usr/share/zsh/site-functions":     "rpm",
	"usr/share/licenses":               "rpm",
}

// contents lists the files for a kind of package, in the order of their names.
func (b build) contents(kind string) (list files.Contents, err error) {
	err = filepath.WalkDir(b.root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(b.root, file)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if only := onlyFor[name]; only != "" && only != kind {
				return fs.SkipDir
			}
			return nil
		}
		mode := fs.FileMode(0o644)
		if filepath.Dir(name) == "usr/bin" {
			mode = 0o755
		}
		list = append(list, &files.Content{
			Source:      file,
			Destination: "/" + name,
			FileInfo:    &files.ContentFileInfo{Mode: mode, Owner: "root", Group: "root", MTime: b.time},
		})
		return nil
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s has no files", b.root)
	}
	return list, err
}
