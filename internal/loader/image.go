package loader

import (
	"path"
	"strings"
)

// Files are those of a medium: Text returns one of them, in whatever case its name is written,
// and false if there is none.
type Files interface {
	Text(path string) (text string, ok bool, err error)
}

// Where the loaders look for their menus: isolinux (isolinux.txt in the sources of SYSLINUX,
// and the names that its mkisofs examples use), GRUB by the prefixes that makers of images
// give it. The first that has entries counts.
var (
	syslinuxMenus = []string{
		"boot/isolinux/isolinux.cfg", "isolinux/isolinux.cfg", "isolinux.cfg",
		"boot/syslinux/syslinux.cfg", "syslinux/syslinux.cfg", "syslinux.cfg",
	}
	grubMenus = []string{
		"EFI/BOOT/grub.cfg", "boot/grub/grub.cfg", "boot/grub2/grub.cfg", "EFI/grub/grub.cfg", "grub/grub.cfg",
	}
)

// Find returns the menu that the loader shows, or false if none is found.
func Find(files Files, loader Loader) (Menu, bool, error) {
	names, parse := grubMenus, func(text, _ string) Menu { return ParseGRUB(text) }
	var failed error
	if loader == SYSLINUX {
		names = syslinuxMenus
		parse = func(text, folder string) Menu {
			return ParseSYSLINUX(text, func(name string) (string, bool) {
				if !strings.HasPrefix(name, "/") {
					name = path.Join(folder, name)
				}
				included, ok, err := files.Text(strings.TrimPrefix(name, "/"))
				if err != nil {
					failed = err
				}
				return included, ok
			})
		}
	}
	for _, name := range names {
		text, ok, err := files.Text(name)
		if err != nil {
			return Menu{}, false, err
		}
		if !ok {
			continue
		}
		menu := parse(text, path.Dir(name))
		if failed != nil {
			return Menu{}, false, failed
		}
		if len(menu.Items) > 0 {
			return menu, true, nil
		}
	}
	return Menu{}, false, nil
}
