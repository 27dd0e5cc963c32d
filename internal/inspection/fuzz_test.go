package inspection

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/livebuild/livebuild/internal/contents"
	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
)

// seeds are small images of several makers: with a store, with another squashfs, with an EFI system
// partition that is a file, and with one that is none.
func seeds(f *testing.F) [][]byte {
	dir := f.TempDir()
	for _, p := range [][2]string{{"squashfs-tools", "mksquashfs"}, {"genisoimage", "genisoimage"}, {"xorriso", "xorriso"}, {"mtools", "mformat"}} {
		judge.Path(f, p[0], p[1])
	}
	cmd := exec.Command("sh", "-euc", `mkdir -p nix/h1-a-1.0/sub nix/h2-a-1.0-bin live/live live/isolinux store/boot
		seq 1 900 > nix/h1-a-1.0/sub/numbers; cp nix/h1-a-1.0/sub/numbers nix/h2-a-1.0-bin/same; ln -s x nix/h1-a-1.0/link; truncate -s 1M nix/h1-a-1.0/hole
		mksquashfs nix store/nix-store.squashfs -b 4K -quiet -no-progress; mksquashfs nix live/live/filesystem.squashfs -comp xz -no-fragments -quiet -no-progress
		printf 'DEFAULT a\nLABEL a\n KERNEL /k\n APPEND initrd=/i quiet\n' > live/isolinux/isolinux.cfg; echo kernel > live/k; echo initrd > live/i
		mformat -C -i efi.img -T 128 -h 2 -s 8 ::; mmd -i efi.img ::/EFI; mcopy -i efi.img live/k ::/EFI/KERNEL; cp efi.img store/boot
		genisoimage -quiet -r -o 1.iso -e boot/efi.img -no-emul-boot store; genisoimage -quiet -J -o 2.iso live
		xorriso -as mkisofs -quiet -r -o 3.iso -append_partition 2 0xef efi.img live`)
	cmd.Dir = dir
	judge.Output(f, cmd)
	var list [][]byte
	for _, name := range []string{"1.iso", "2.iso", "3.iso"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// FuzzRoom reads all that damaged images tell. What takes their room adds up, whatever they claim.
func FuzzRoom(f *testing.F) {
	images := seeds(f)
	for n := range images {
		f.Add(uint8(n), []byte{})
		f.Add(uint8(n), []byte("\x00\x00\x80\x9e\xff"))
	}
	// An image is far larger than what fuzzing changes well: the input is changes of it.
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		data := slices.Clone(images[int(which)%len(images)])
		for change := range slices.Chunk(changes, 5) {
			if len(change) == 5 {
				data[int(binary.BigEndian.Uint32(change))%len(data)] = change[4]
			}
		}
		m, err := medium.ReadAny(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		c, err := contents.Open(m)
		if err != nil {
			return
		}
		ctx := context.Background()
		image, err := Read(ctx, m, c)
		if err != nil {
			return
		}
		if _, err := ReadBoot(ctx, m, image.Menus); err != nil {
			return
		}
		room, err := ReadRoom(ctx, m, c, image, m.Size)
		if err != nil {
			return
		}
		if room.Root.Size != m.Size {
			t.Errorf("the room is %d bytes of %d", room.Root.Size, m.Size)
		}
		checkPart(t, room.Root)
		for n, need := range room.Needs {
			if need.By >= n && n > 0 {
				t.Errorf("need %d is by %d", n, need.By)
			}
		}
	})
}
