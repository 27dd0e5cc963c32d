package inspection

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"
)

// addRandom adds a random folder to a tree, and returns its size, bytes and files.
func addRandom(t *tree, random *rand.Rand, at string, depth int) (size, bytes int64, files int) {
	for i := range 2 + random.IntN(8) {
		name := path.Join(at, fmt.Sprintf("%c%d", 'a'+rune(depth), i))
		if depth < 5 && random.IntN(3) > 0 {
			t.add(name, &Part{Name: path.Base(name), Kind: FolderPart})
			s, b, f := addRandom(t, random, name, depth+1)
			size, bytes, files = size+s, bytes+b, files+f
			continue
		}
		p := &Part{Name: path.Base(name), Kind: FilePart, Size: random.Int64N(1 << random.IntN(30)), Files: 1}
		p.Bytes = p.Size * random.Int64N(4)
		size, bytes, files = size+p.Size, bytes+p.Bytes, files+1
		t.add(name, p)
	}
	return size, bytes, files
}

// checkPart checks that what a part holds adds up to its own sizes, and returns how many parts
// there are.
func checkPart(t *testing.T, p *Part) int {
	t.Helper()
	if len(p.Parts) == 0 {
		return 1
	}
	n, size, bytes, files := 1, int64(0), int64(0), 0
	for i, child := range p.Parts {
		if i > 0 && child.Size > p.Parts[i-1].Size && child.Kind != SmallerPart {
			t.Errorf("%s is larger than what comes before it", child.Name)
		}
		n += checkPart(t, child)
		size, bytes, files = size+child.Size, bytes+child.Bytes, files+child.Files
	}
	if size != p.Size || bytes != p.Bytes || files > p.Files {
		t.Errorf("%s has %d bytes, %d when read, %d files; its parts have %d, %d, %d", p.Name, p.Size, p.Bytes, p.Files, size, bytes, files)
	}
	return n
}

// TestTree checks that a tree stays small while it grows, that nothing of its sums is lost, and that
// what is left does not depend on how much room there was on the way.
func TestTree(t *testing.T) {
	for seed := range uint64(20) {
		const most = 50
		grow := func(room int) (*Part, int) {
			tree := newTree(room)
			size, bytes, files := addRandom(tree, rand.New(rand.NewPCG(seed, 0)), "", 0)
			if tree.live > 2*room {
				t.Errorf("seed %d: a tree for %d has %d parts", seed, room, tree.live)
			}
			root := tree.end()
			root.Name = "root"
			if root.Size != size || root.Bytes != bytes || root.Files != files {
				t.Errorf("seed %d: the root has %d bytes, %d when read, %d files, want %d, %d, %d", seed, root.Size, root.Bytes, root.Files, size, bytes, files)
			}
			left := fold(root, most, nil)
			root.settle()
			return root, left
		}
		large, all := grow(1 << 20)
		small, left := grow(most)
		if left > most || all > most {
			t.Errorf("seed %d: %d and %d parts are left", seed, left, all)
		}
		// Each folder can tell of smaller ones besides.
		if n := checkPart(t, small); n > 2*most+2 {
			t.Errorf("seed %d: there are %d parts", seed, n)
		}
		a, err := json.Marshal(large)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(small); err != nil || string(a) != string(b) {
			t.Errorf("seed %d: with less room on the way it is another tree, %v", seed, err)
		}
	}
}

// TestHold checks that what does not fit into a file is not told.
func TestHold(t *testing.T) {
	inside := &Part{Size: 70, Bytes: 300, Files: 2, Parts: []*Part{{Name: "a", Size: 50, Bytes: 200}, {Name: "b", Size: 20, Bytes: 100}}}
	file := &Part{Name: "image", Kind: FilePart, Size: 100, Bytes: 100, Files: 1}
	file.hold(inside, "padding")
	if file.Kind != FileSystemPart || len(file.Parts) != 3 || file.Bytes != 330 {
		t.Errorf("the file is %+v", file)
	}
	file.settle()
	checkPart(t, file)
	forged := &Part{Name: "forged", Kind: FilePart, Size: 60, Bytes: 60, Files: 1}
	if forged.hold(inside, "padding"); forged.Kind != FilePart || forged.Parts != nil || forged.Bytes != 60 {
		t.Errorf("the forged one is %+v", forged)
	}
	// Holes do not overflow.
	sum := &Part{}
	for range 3 {
		sum.take(&Part{Bytes: maxBytes - 1})
	}
	if sum.Bytes != maxBytes {
		t.Errorf("the holes have %d bytes", sum.Bytes)
	}
}
