package disk

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestEncode holds what is encoded field by field against encoding/binary, with values in all fields.
func TestEncode(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	for _, record := range []interface{ append([]byte) []byte }{
		InodeHeader{}, DirInode{}, ExtDirInode{}, DirIndex{}, FileInode{}, ExtFileInode{},
		SymlinkInode{}, DeviceInode{}, IPCInode{}, DirHeader{}, DirEntry{},
	} {
		v := reflect.New(reflect.TypeOf(record)).Elem()
		for i := range v.NumField() {
			f := v.Field(i)
			if f.CanUint() {
				f.SetUint(random.Uint64() >> (64 - f.Type().Bits()))
			} else {
				f.SetInt(int64(int16(random.Uint32())))
			}
		}
		want, err := binary.Append([]byte("before"), binary.LittleEndian, v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Interface().(interface{ append([]byte) []byte }).append([]byte("before")); !bytes.Equal(got, want) {
			t.Errorf("%#v: %x, want %x", v, got, want)
		}
	}
}

// TestDecode holds what is decoded field by field against encoding/binary, whole and cut off.
func TestDecode(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{2}))
	p := make([]byte, 64)
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	for _, record := range []any{&InodeHeader{}, &DirInode{}, &FileInode{}, &SymlinkInode{}, &DirHeader{}, &ExtFileInode{}} {
		if Size(record) != binary.Size(record) {
			t.Errorf("size of %T: %d, want %d", record, Size(record), binary.Size(record))
		}
		want := reflect.New(reflect.TypeOf(record).Elem()).Interface()
		if _, err := binary.Decode(p, binary.LittleEndian, want); err != nil {
			t.Fatal(err)
		}
		if err := Decode(p, record); err != nil || !reflect.DeepEqual(record, want) {
			t.Errorf("%#v (%v), want %#v", record, err, want)
		}
		if Decode(p[:Size(record)-1], record) == nil {
			t.Errorf("%T out of too few bytes", record)
		}
	}
}
