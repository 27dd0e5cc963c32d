package hybridiso_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/livebuild/livebuild/pkg/fat"
	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// A disc of the files of a file system.
func Example_writeFS() {
	files, err := hybridiso.FilesFromFS(fstest.MapFS{
		"README":      {Data: []byte("hello\n"), Mode: 0o644},
		"bin/program": {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
	})
	if err != nil {
		log.Fatal(err)
	}
	f, done := temporary("disc.iso")
	defer done()
	write(hybridiso.Image{VolumeID: "EXAMPLE", Files: files}, f, nil)

	// The files of a disc, whoever made it.
	r, err := hybridiso.Open(f, sizeOf(f))
	if err != nil {
		log.Fatal(err)
	}
	err = fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Println(info.Mode(), info.ModTime().Format("2006-01-02"), path)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// dr-xr-xr-x 1980-01-01 .
	// -rw-r--r-- 1980-01-01 README
	// dr-xr-xr-x 1980-01-01 bin
	// -rwxr-xr-x 1980-01-01 bin/program
}

// A file of a disc, and where it lies.
func Example_readFile() {
	f, done := temporary("disc.iso")
	defer done()
	write(hybridiso.Image{VolumeID: "EXAMPLE", Files: []hybridiso.File{{Path: "boot/menu", Data: []byte("timeout=10\n")}}}, f, nil)

	r, err := hybridiso.Open(f, sizeOf(f))
	if err != nil {
		log.Fatal(err)
	}
	text, err := fs.ReadFile(r.FS(), "boot/menu")
	if err != nil {
		log.Fatal(err)
	}
	e, err := r.Lookup("boot/menu")
	if err != nil {
		log.Fatal(err)
	}
	there := make([]byte, e.Size)
	if _, err := f.ReadAt(there, e.Extents[0].Offset); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%t\n", text, bytes.Equal(text, there))
	// Output:
	// timeout=10
	// true
}

// An image for discs and sticks that starts by UEFI, with a file whose size is
// known when it is written.
func Example_hybrid() {
	var esp bytes.Buffer
	layout, err := fat.Image{Size: 1 << 20, Label: "EFIBOOT", Files: []fat.File{
		{Path: "EFI/BOOT/BOOTX64.EFI", Data: []byte("a program")},
	}}.Layout()
	if err == nil {
		err = layout.Write(context.Background(), &esp)
	}
	if err != nil {
		log.Fatal(err)
	}
	f, done := temporary("hybrid.iso")
	defer done()
	image := hybridiso.Image{
		VolumeID: "EXAMPLE",
		Files: []hybridiso.File{
			{Path: "boot/efi.img", Data: esp.Bytes()},
			{Path: "root.squashfs", Stream: true, MaxSize: 1 << 30},
		},
		Boot: hybridiso.Boot{EFI: &hybridiso.EFIBoot{Path: "boot/efi.img"}, Hybrid: true},
	}
	write(image, f, func(_ context.Context, w io.WriterAt) (int64, error) {
		n, err := w.WriteAt([]byte("a file system"), 0)
		return int64(n), err
	})

	v, err := hybridiso.ReadVolume(f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %+v\n", v.ID, v.BootModes())
	for _, p := range v.Partitions {
		fmt.Println(p.Offset%2048, p.Name)
	}
	// Output:
	// EXAMPLE {BIOSDisc:false EFIDisc:true BIOSDisk:false EFIDisk:true}
	// 0 ISO 9660
	// 0 EFI system
}

// write writes an image.
func write(image hybridiso.Image, w io.WriterAt, stream hybridiso.StreamFunc) {
	layout, err := image.Layout()
	if err == nil {
		_, err = layout.Write(context.Background(), w, stream)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// temporary makes a file, which is gone when the example is done.
func temporary(name string) (f *os.File, done func()) {
	dir, err := os.MkdirTemp("", "")
	if err == nil {
		f, err = os.Create(filepath.Join(dir, name))
	}
	if err != nil {
		log.Fatal(err)
	}
	return f, func() {
		f.Close()
		os.RemoveAll(dir)
	}
}

func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	return info.Size()
}
