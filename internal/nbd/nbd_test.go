package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// memory is a disk that cannot be read beyond its first half.
type memory []byte

func (m memory) Size() int64 { return int64(len(m)) }

func (m memory) ReadAt(b []byte, offset int64) (int, error) {
	if offset+int64(len(b)) > m.Size()/2 {
		return 0, errors.New("unreadable")
	}
	return copy(b, m[offset:]), nil
}

// client is the other end, which fails the test where it is not answered as the protocol wants.
type client struct {
	t    *testing.T
	conn net.Conn
}

// serve serves a disk to a client, and returns how that ended when the connection has.
func serve(t *testing.T, disk Disk) (client, <-chan error) {
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(theirs, disk)
		theirs.Close()
	}()
	t.Cleanup(func() { ours.Close() })
	return client{t, ours}, ended
}

func (c client) send(values ...any) {
	c.t.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		c.t.Fatal(err)
	}
}

func (c client) want(what string, values ...any) {
	c.t.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			c.t.Fatal(err)
		}
	}
	got := make([]byte, b.Len())
	if _, err := io.ReadFull(c.conn, got); err != nil || !bytes.Equal(got, b.Bytes()) {
		c.t.Fatalf("%s: % x, %v, want % x", what, got, err, b.Bytes())
	}
}

// hello goes through the handshake up to the options.
func (c client) hello() {
	c.t.Helper()
	c.want("greeting", []byte("NBDMAGICIHAVEOPT"), uint16(3))
	c.send(uint32(3))
}

func (c client) option(number uint32, data string) {
	c.send([]byte("IHAVEOPT"), number, uint32(len(data)), []byte(data))
}

var disk = memory(bytes.Repeat([]byte("0123456789abcdef"), 64))

func (c client) read(offset uint64, length uint32) {
	c.send(uint32(0x25609513), uint16(0), uint16(0), uint64(77), offset, length)
}

// TestServe asks as QEMU does.
func TestServe(t *testing.T) {
	c, ended := serve(t, disk)
	c.hello()
	c.option(8, "") // structured replies
	c.want("unsupported option", uint64(0x3e889045565a9), uint32(8), uint32(1<<31+1), uint32(0))
	c.option(7, "\x00\x00\x00\x00\x00\x00")
	c.want("export", uint64(0x3e889045565a9), uint32(7), uint32(3), uint32(12), uint16(0), uint64(1024), uint16(3))
	c.want("choice", uint64(0x3e889045565a9), uint32(7), uint32(1), uint32(0))
	c.read(8, 16)
	c.want("data", uint32(0x67446698), uint32(0), uint64(77), []byte("89abcdef01234567"))
	c.read(600, 16)
	c.want("what cannot be read", uint32(0x67446698), uint32(5), uint64(77))
	for _, far := range []struct {
		offset uint64
		length uint32
	}{{1016, 16}, {1 << 63, 16}, {0, 64 << 20}, {1 << 20, 0}} {
		c.read(far.offset, far.length)
		c.want("what is too far", uint32(0x67446698), uint32(22), uint64(77))
	}
	c.read(0, 0)
	c.want("nothing", uint32(0x67446698), uint32(0), uint64(77))
	c.send(uint32(0x25609513), uint16(0), uint16(2), uint64(78), uint64(0), uint32(0))
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// TestServeByName asks as old clients do.
func TestServeByName(t *testing.T) {
	c, ended := serve(t, disk)
	c.want("greeting", []byte("NBDMAGICIHAVEOPT"), uint16(3))
	c.send(uint32(1))
	c.option(1, "name")
	c.want("export", uint64(1024), uint16(3), make([]byte, 124))
	c.read(0, 4)
	c.want("data", uint32(0x67446698), uint32(0), uint64(77), []byte("0123"))
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// TestServeEnds has clients that leave, or are none.
func TestServeEnds(t *testing.T) {
	for name, test := range map[string]struct {
		say  func(client)
		want string
	}{
		"silence":  {func(c client) { c.want("greeting", []byte("NBDMAGICIHAVEOPT"), uint16(3)) }, ""},
		"goodbye":  {func(c client) { c.hello(); c.option(2, ""); io.ReadAll(c.conn) }, ""},
		"no magic": {func(c client) { c.hello(); c.send(make([]byte, 16)) }, "magic number 0x0"},
		"long option": {
			func(c client) { c.hello(); c.send([]byte("IHAVEOPT"), uint32(7), uint32(1<<31)) }, "option 7 of 2147483648 bytes",
		},
		"no request": {
			func(c client) {
				c.hello()
				c.option(1, "")
				c.want("export", uint64(1024), uint16(3))
				c.send(make([]byte, 28))
			},
			"request with magic number 0x0",
		},
		"a write": {
			func(c client) {
				c.hello()
				c.option(1, "")
				c.want("export", uint64(1024), uint16(3))
				c.send(uint32(0x25609513), uint16(0), uint16(1), uint64(1), uint64(0), uint32(4))
			},
			"request of type 1, of a disk that is read only",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ended := serve(t, disk)
			test.say(c)
			c.conn.Close()
			if err := <-ended; (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Serve = %v, want %q", err, test.want)
			}
		})
	}
}
