package tree

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

func file(name string, size uint64) Node {
	return Node{Name: name, Kind: disk.TypeFile, Perm: 0o444, Size: size}
}

func folder(name string) Node { return Node{Name: name, Kind: disk.TypeDir, Perm: 0o555} }

// sample has nodes of all kinds, and everything in them that a node can have.
func sample() *Branch {
	b := NewBuilder()
	top := b.Add(0, []Node{folder("top")})
	kept := file("kept", 5)
	kept.FromEarlier = true
	kept.Kept = &disk.Location{Start: 1 << 40, Sizes: []uint32{0, 7, math.MaxUint32}, Sparse: 1 << 33, Fragment: disk.InvalidFragment, Offset: 9}
	fragment := file("part", 6)
	fragment.Kept = &disk.Location{Fragment: 3, Offset: math.MaxUint32}
	sparse := file("sparse", math.MaxInt64)
	sparse.Sparse = true
	below := b.Add(top, []Node{folder("empty"), folder("full"), kept, fragment, sparse})
	b.Add(below, nil)
	owned := func(name string, link uint64, xattrs ...disk.Xattr) Node {
		n := file(name, 1)
		n.Attr = &Attributes{UID: math.MaxUint32, GID: 2, ModTime: math.MaxUint32, Link: link, Xattrs: xattrs}
		return n
	}
	device := owned("d", 0, disk.Xattr{Name: "user.a", Value: []byte{0}})
	device.Kind, device.Size, device.Attr.Device = disk.TypeCharDevice, 0, 0x501
	b.Add(below+1, []Node{
		owned("a", 7, disk.Xattr{Name: "user.a", Value: []byte{0}}),
		owned("b", 7),
		owned("c", 8),
		device,
		{Name: "e", Kind: disk.TypeSymlink, Perm: 0o777, Target: "to/there"},
	})
	return b.Branch()
}

// Nodes come out as they went in, with numbers and paths, however often and wherever one begins.
func TestBranch(t *testing.T) {
	b, links := sample(), Links{}
	line := func(n *Node) string {
		s := fmt.Sprintf("%d %t %d %s %d %o %d %q %t %t", n.Number, n.Again, n.Names, n.Name, n.Kind, n.Perm, n.Size, n.Target, n.Sparse, n.FromEarlier)
		if n.Kept != nil {
			s += fmt.Sprintf(" %v", *n.Kept)
		}
		if n.Attr != nil {
			s += fmt.Sprintf(" %v", *n.Attr)
		}
		return s
	}
	want := []string{
		`11 false 1 empty 1 555 0 "" false false`,
		`12 false 2 a 2 444 1 "" false false {4294967295 2 4294967295 0 7 [{user.a [0]}]}`,
		`12 true 2 b 2 444 1 "" false false {4294967295 2 4294967295 0 7 []}`,
		`13 false 1 c 2 444 1 "" false false {4294967295 2 4294967295 0 8 []}`,
		`14 false 1 d 5 444 0 "" false false {4294967295 2 4294967295 1281 0 [{user.a [0]}]}`,
		`15 false 1 e 3 777 0 "to/there" false false`,
		`16 false 1 full 1 555 0 "" false false`,
		`17 false 1 kept 2 444 5 "" false true {1099511627776 [0 7 4294967295] 8589934592 4294967295 9}`,
		`18 false 1 part 2 444 6 "" false false {0 [] 0 3 4294967295}`,
		`19 false 1 sparse 2 444 9223372036854775807 "" true false`,
		`20 false 1 top 1 555 0 "" false false`,
	}
	paths := []string{"/empty", "/full/a", "/full/b", "/full/c", "/full/d", "/full/e", "/full", "/kept", "/part", "/sparse", ""}
	var counted, got, at []string
	for n := range b.Count(10, links) {
		counted = append(counted, n.Below())
	}
	for n := range b.All(links) {
		got, at = append(got, line(n)), append(at, n.Below())
	}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(at, paths) || !reflect.DeepEqual(counted, paths) {
		t.Errorf("got\n%q\n%q\n%q, want\n%q\n%q", got, at, counted, want, paths)
	}
	got = nil
	for dir := range b.Directories() {
		for n := range b.Children(uint32(dir), links) {
			got = append(got, line(n))
		}
	}
	flat := []string{want[10], want[0], want[6], want[7], want[8], want[9], want[1], want[2], want[3], want[4], want[5]}
	if !reflect.DeepEqual(got, flat) {
		t.Errorf("by directory:\n%q, want\n%q", got, flat)
	}
	if b.Number(1) != 20 || b.Number(3) != 16 || b.Parent(3) != 1 {
		t.Errorf("directories %d and %d, in %d", b.Number(1), b.Number(3), b.Parent(3))
	}
}

// What is left of a branch is as if nothing else had been there.
func TestWithout(t *testing.T) {
	links := Links{}
	b := sample()
	for range b.Count(0, links) {
	}
	b = b.Without(links, func(n *Node) bool { return n.Again || n.Name == "part" })
	links = Links{}
	var paths []string
	for n := range b.Count(0, links) {
		paths = append(paths, fmt.Sprintf("%d %s", n.Number, n.Below()))
	}
	want := []string{"1 /empty", "2 /full/a", "3 /full/c", "4 /full/d", "5 /full/e", "6 /full", "7 /kept", "8 /sparse", "9 "}
	if !reflect.DeepEqual(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
}

// Listings end up in several pieces of memory, and one of a directory is never cut.
func TestManyNames(t *testing.T) {
	b := NewBuilder()
	top := b.Add(0, []Node{folder("top")})
	var folders []Node
	for i := range 100 {
		folders = append(folders, folder(fmt.Sprintf("%03d", i)))
	}
	first := b.Add(top, folders)
	for i := range 100 {
		var files []Node
		for n := range 300 {
			files = append(files, file(fmt.Sprintf("file-%04d", n), uint64(n)))
		}
		b.Add(first+uint32(i), files)
	}
	branch, seen := b.Branch(), 0
	for n := range branch.Count(0, Links{}) {
		if seen++; n.Number != uint32(seen) {
			t.Fatalf("%s has number %d, not %d", n.Below(), n.Number, seen)
		}
	}
	if seen != 30101 || len(branch.listings) < 5 {
		t.Errorf("%d names in %d pieces", seen, len(branch.listings))
	}
}
