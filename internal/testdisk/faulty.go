package testdisk

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/livebuild/livebuild/internal/judge"
)

// Faulty is a file, in a file system of its own, that does not always do what
// it should. Its methods may be called while it is in use.
type Faulty struct {
	Path string // of the file
	size int64
	file *os.File // what the file holds

	mu         sync.Mutex
	failWrites span
	failReads  span
	errno      syscall.Errno
	flip       int64 // byte of which a bit is flipped when it is written; negative for none
	capacity   int64 // beyond it writes go to the beginning again; 0 for size
	stalled    chan struct{}
	onWrite    func(offset int64, data []byte)
}

type span struct{ start, end int64 }

func (s span) meets(offset int64, n int) bool { return offset < s.end && offset+int64(n) > s.start }

// NewFaulty makes a file of that many bytes, which behaves until it is told
// otherwise. It is gone after the test.
func NewFaulty(t testing.TB, size int64) *Faulty {
	t.Helper()
	judge.Root(t)
	f := &Faulty{size: size, flip: -1, errno: syscall.EIO}
	var err error
	if f.file, err = os.OpenFile(Sparse(t, size), os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	root := &fs.Inode{}
	server, err := fs.Mount(folder, root, &fs.Options{
		MountOptions: fuse.MountOptions{FsName: "faulty", DirectMountStrict: true, MaxWrite: 128 << 10},
		OnAdd: func(ctx context.Context) {
			root.AddChild("disk", root.NewPersistentInode(ctx, &faultyNode{faulty: f}, fs.StableAttr{Mode: syscall.S_IFREG}), false)
		},
	})
	if err != nil {
		t.Fatalf("mounting a FUSE file system: %v", err)
	}
	f.Path = filepath.Join(folder, "disk")
	t.Cleanup(func() {
		f.Behave()
		// A loop device that something was stuck in lets go of the file a
		// little later.
		err := server.Unmount()
		for deadline := time.Now().Add(unmountPatience); err != nil && time.Now().Before(deadline); err = server.Unmount() {
			time.Sleep(50 * time.Millisecond)
		}
		if err != nil {
			t.Errorf("unmounting %s: %v", folder, err)
		}
		if err := f.file.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// FailWrites makes writes of bytes from start on and before end fail. A loop
// device passes on only the failure of a request that begins in there: one that
// was partly written it takes for a success.
func (f *Faulty) FailWrites(start, end int64, errno syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failWrites, f.errno = span{start, end}, errno
}

// FailReads makes reads of bytes from start on and before end fail.
func (f *Faulty) FailReads(start, end int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failReads = span{start, end}
}

// Flip makes a byte come out wrong that is written from now on.
func (f *Faulty) Flip(offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flip = offset
}

// Pretend makes the file hold less than its size: what is beyond the capacity
// goes to the beginning again, as with counterfeit sticks.
func (f *Faulty) Pretend(capacity int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = capacity
}

// longestStall ends a stall that a failed test forgets: other users of loop
// devices wait for it, too, losetup(8) among them.
const longestStall = 90 * time.Second

const unmountPatience = 30 * time.Second

// Stall makes all reads and writes wait until Behave.
func (f *Faulty) Stall() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stalled == nil {
		f.stalled = make(chan struct{})
		time.AfterFunc(longestStall, f.Behave)
	}
}

// OnWrite has a function called before each write.
func (f *Faulty) OnWrite(call func(offset int64, data []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onWrite = call
}

// Behave ends all misbehaviour.
func (f *Faulty) Behave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failWrites, f.failReads, f.flip, f.capacity, f.onWrite = span{}, span{}, -1, 0, nil
	if f.stalled != nil {
		close(f.stalled)
		f.stalled = nil
	}
}

// wait waits as long as the file is stalled.
func (f *Faulty) wait() {
	f.mu.Lock()
	stalled := f.stalled
	f.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

func (f *Faulty) read(p []byte, offset int64) (int, syscall.Errno) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failReads.meets(offset, len(p)) {
		return 0, syscall.EIO
	}
	if f.capacity > 0 {
		offset %= f.capacity
	}
	n, err := f.file.ReadAt(p, offset)
	if n == 0 && err != nil && offset < f.size {
		return 0, syscall.EIO
	}
	return n, 0
}

func (f *Faulty) write(p []byte, offset int64) (int, syscall.Errno) {
	f.mu.Lock()
	call := f.onWrite
	f.mu.Unlock()
	if call != nil {
		call(offset, p)
	}
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWrites.meets(offset, len(p)) {
		return 0, f.errno
	}
	if i := f.flip - offset; f.flip >= 0 && i >= 0 && i < int64(len(p)) {
		p = append([]byte{}, p...)
		p[i] ^= 0x10
	}
	if f.capacity > 0 {
		offset %= f.capacity
	}
	n, err := f.file.WriteAt(p, offset)
	if err != nil {
		return n, syscall.EIO
	}
	return n, 0
}

// faultyNode is the file as FUSE has it. Direct I/O keeps the kernel from
// answering in its place.
type faultyNode struct {
	fs.Inode
	faulty *Faulty
}

var _ = (fs.NodeOpener)((*faultyNode)(nil))
var _ = (fs.NodeReader)((*faultyNode)(nil))
var _ = (fs.NodeWriter)((*faultyNode)(nil))
var _ = (fs.NodeFsyncer)((*faultyNode)(nil))
var _ = (fs.NodeGetattrer)((*faultyNode)(nil))

func (n *faultyNode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *faultyNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o600, uint64(n.faulty.size)
	return 0
}

func (n *faultyNode) Read(_ context.Context, _ fs.FileHandle, p []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	count, errno := n.faulty.read(p, offset)
	return fuse.ReadResultData(p[:count]), errno
}

func (n *faultyNode) Write(_ context.Context, _ fs.FileHandle, p []byte, offset int64) (uint32, syscall.Errno) {
	count, errno := n.faulty.write(p, offset)
	return uint32(count), errno
}

func (n *faultyNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.faulty.wait()
	return 0
}
