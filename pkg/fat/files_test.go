package fat

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestFilesFromFS(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "EFI/BOOT"), 0o755),
		os.Mkdir(filepath.Join(dir, "void"), 0o755),
		os.WriteFile(filepath.Join(dir, "EFI/BOOT/BOOTX64.EFI"), pattern(12345), 0o644),
		os.Symlink("BOOT/BOOTX64.EFI", filepath.Join(dir, "EFI/link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	files, err := FilesFromFS(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	image := build(t, Image{Size: 1 << 20, Files: files})
	r := open(t, image)
	checkReader(t, r, map[string][]byte{"EFI/BOOT/BOOTX64.EFI": pattern(12345), "EFI/link": pattern(12345)})
	info, err := fs.Stat(r.FS(), "void")
	if err != nil || !info.IsDir() || !info.ModTime().Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("Stat(void) = %v, %v", info, err)
	}

	if _, err := FilesFromFS(fstest.MapFS{"pipe": {Mode: fs.ModeNamedPipe}}); err == nil || !strings.Contains(err.Error(), "neither file") {
		t.Errorf("FilesFromFS of a pipe = %v", err)
	}
	if _, err := (Image{}).Layout(); err == nil || !strings.Contains(err.Error(), "size is missing") {
		t.Errorf("Layout of nothing = %v", err)
	}
}
