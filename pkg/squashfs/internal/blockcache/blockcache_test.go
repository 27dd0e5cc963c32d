package blockcache

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// number is a block's contents: its key, again and again.
func number(buffer []byte, key uint64) int {
	for at := 0; at+8 <= len(buffer); at += 8 {
		binary.LittleEndian.PutUint64(buffer[at:], key)
	}
	return len(buffer)
}

func TestOnce(t *testing.T) {
	c := New(4, 64)
	var decoded atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for key := range uint64(4) {
				err := c.Use(Key{Start: key}, func(buffer []byte) (int, error) {
					decoded.Add(1)
					return number(buffer, key), nil
				}, func(data []byte) error { return nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := decoded.Load(); n != 4 {
		t.Errorf("4 blocks were decoded %d times", n)
	}
}

// TestMemory has users hold blocks while others push them out: what they see must stay, and the
// memory is that of the blocks that are kept and of those that are held.
func TestMemory(t *testing.T) {
	const capacity, users = 3, 6
	c := New(capacity, 4096)
	rooms := map[*byte]bool{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for user := range users {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(user)))
			for range 2000 {
				key := random.Uint64N(20)
				err := c.Use(Key{Start: key}, func(buffer []byte) (int, error) {
					mu.Lock()
					rooms[&buffer[0]] = true
					mu.Unlock()
					return number(buffer, key), nil
				}, func(data []byte) error {
					for range 3 {
						for at := 0; at < len(data); at += 8 {
							if got := binary.LittleEndian.Uint64(data[at:]); got != key {
								t.Errorf("block %d holds %d", key, got)
								return nil
							}
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if len(rooms) > capacity+users {
		t.Errorf("%d pieces of memory for %d blocks and %d users", len(rooms), capacity, users)
	}
}

func TestErrors(t *testing.T) {
	c := New(2, 8)
	bad, told := errors.New("damaged"), 0
	use := func(key Key, err error) error {
		return c.Use(key, func(buffer []byte) (int, error) { told++; return 3, err }, func(data []byte) error {
			if len(data) != 3 {
				t.Errorf("%d bytes", len(data))
			}
			return nil
		})
	}
	for range 3 {
		if err := use(Key{Start: 1}, bad); !errors.Is(err, bad) {
			t.Errorf("the error is %v", err)
		}
	}
	if told != 1 {
		t.Errorf("the damaged block was decoded %d times", told)
	}
	// One of another length is another block.
	if err := use(Key{Start: 1, Size: 1}, nil); err != nil || told != 2 {
		t.Errorf("%v after %d blocks", err, told)
	}
	c.SetCapacity(1)
	if err := use(Key{Start: 2}, nil); err != nil {
		t.Error(err)
	}
	if err := use(Key{Start: 1}, nil); err != nil || told != 4 {
		t.Errorf("%v after %d blocks: the first was not forgotten", err, told)
	}
}
