package fat_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log"
	"testing/fstest"

	"github.com/livebuild/livebuild/pkg/fat"
)

// A file system of the files of another one.
func Example_write() {
	files, err := fat.FilesFromFS(fstest.MapFS{
		"EFI/BOOT/BOOTX64.EFI": {Data: []byte("a program")},
		"EFI/BOOT/grub.cfg":    {Data: []byte("set timeout=10\n")},
	})
	if err != nil {
		log.Fatal(err)
	}
	layout, err := fat.Image{Size: 1 << 20, Label: "EFIBOOT", Files: files}.Layout()
	if err != nil {
		log.Fatal(err)
	}
	var image bytes.Buffer
	if err := layout.Write(context.Background(), &image); err != nil {
		log.Fatal(err)
	}
	fmt.Println(image.Len(), "bytes,", layout.Clusters(), "clusters")
	// Output: 1048576 bytes, 502 clusters
}

// The files of a file system, whoever made it.
func Example_read() {
	image := exampleImage()
	r, err := fat.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Info().Label, r.Info().Bits)
	text, err := fs.ReadFile(r.FS(), "efi/boot/GRUB.CFG") // in whatever case
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// EFIBOOT 12
	// set timeout=10
}

// All that is wrong with a file system.
func ExampleReader_Findings() {
	image := exampleImage()
	image[1536+300] = 0xFF // in the second allocation table
	r, err := fat.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		log.Fatal(err)
	}
	err = r.Findings(context.Background(), func(f fat.Finding) error {
		fmt.Println(f)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// allocation table at 1536: copy 2 differs from the first
}

func exampleImage() []byte {
	var image bytes.Buffer
	layout, err := fat.Image{Size: 1 << 20, Label: "EFIBOOT", Files: []fat.File{
		{Path: "EFI/BOOT/grub.cfg", Data: []byte("set timeout=10\n")},
	}}.Layout()
	if err == nil {
		err = layout.Write(context.Background(), &image)
	}
	if err != nil {
		log.Fatal(err)
	}
	return image.Bytes()
}
