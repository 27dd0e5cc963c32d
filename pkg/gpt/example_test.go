package gpt_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/livebuild/livebuild/pkg/gpt"
)

// disk is one in memory, of 4 MiB.
type disk [4 << 20]byte

func (d *disk) WriteAt(b []byte, offset int64) (int, error) { return copy(d[offset:], b), nil }

// A disk with one partition is written, loses its first copy of the table, and is read.
func Example() {
	seed := [16]byte{'e', 'x', 'a', 'm', 'p', 'l', 'e'}
	table := gpt.Table{
		Sectors: int64(len(disk{})) / 512,
		Disk:    gpt.Derive(seed, "disk"),
		Partitions: []gpt.Partition{
			{Type: gpt.EFISystem, ID: gpt.Derive(seed, "partition"), Start: 2048, Sectors: 4096, Name: "EFI system"},
		},
	}
	var d disk
	if err := table.Write(&d); err != nil {
		log.Fatal(err)
	}
	var mbr gpt.MBR
	mbr.Partitions[0] = gpt.Protective(table.Sectors)
	copy(d[:], mbr.Bytes())

	d[512+60]++ // in the header of the primary copy

	found, err := gpt.Read(bytes.NewReader(d[:]), int64(len(d)))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found.Findings {
		fmt.Println(f)
	}
	for _, p := range found.GPT().Partitions {
		fmt.Println(p.Number, p.Name, p.Type, p.Start, p.Sectors)
	}
	// Output:
	// primary GPT at byte 512: its header has the checksum 782fa672 instead of 89f5a3d8
	// 1 EFI system C12A7328-F81F-11D2-BA4B-00A0C93EC93B 2048 4096
}
