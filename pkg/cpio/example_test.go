package cpio_test

import (
	"fmt"
	"log"

	"github.com/livebuild/livebuild/pkg/cpio"
)

// An initrd with a file in a folder.
func Example() {
	initrd := cpio.Archive(cpio.WithFolders([]cpio.Member{
		{Name: "etc/motd", Mode: cpio.ModeRegular | 0o644, Data: []byte("hello\n")},
	}))
	members, err := cpio.Read(initrd)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range members {
		fmt.Printf("%06o %s\n", m.Mode, m.Name)
	}
	// Output:
	// 040755 etc
	// 100644 etc/motd
}
