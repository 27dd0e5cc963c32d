// Package nbd serves a disk to a virtual machine: the half of the NBD protocol
// (NetworkBlockDevice/nbd, doc/proto.md) that a client such as QEMU needs to
// read one disk, by the newstyle handshake and simple replies.
//
// There is one export, whatever name is asked for, and it is read only.
package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Disk is what is served. Its size is a multiple of 512 bytes.
type Disk interface {
	io.ReaderAt
	Size() int64
}

// Numbers of the protocol (doc/proto.md, "Values"), all big-endian on the wire.
const (
	magicHandshake = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption    = 0x49484156454F5054 // "IHAVEOPT"
	magicReply     = 0x3e889045565a9
	magicRequest   = 0x25609513
	magicResponse  = 0x67446698

	flagFixedNewstyle = 1 << 0
	flagNoZeroes      = 1 << 1

	optExportName = 1
	optAbort      = 2
	optInfo       = 6
	optGo         = 7

	repAck      = 1
	repInfo     = 3
	repErrUnsup = 1<<31 + 1

	infoExport = 0

	flagHasFlags = 1 << 0
	flagReadOnly = 1 << 1

	cmdRead       = 0
	cmdDisconnect = 2

	errnoIO      = 5
	errnoInvalid = 22
)

// The bounds of what is taken from a client, in bytes.
const (
	maxOption = 64 << 10
	maxRead   = 32 << 20 // the most that the protocol advises a client to ask for
)

// Serve answers on a connection until the client disconnects or the connection ends, which
// are no errors.
func Serve(conn io.ReadWriter, disk Disk) error {
	s := session{r: bufio.NewReader(conn), w: bufio.NewWriter(conn), disk: disk}
	err := s.handshake()
	if err == nil {
		err = s.transmit()
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errLeft) {
		return nil
	}
	return fmt.Errorf("serving a disk by NBD: %w", err)
}

// errLeft means that the client said goodbye.
var errLeft = errors.New("client disconnected")

type session struct {
	r    *bufio.Reader
	w    *bufio.Writer
	disk Disk
}

func (s *session) get(structure any) error { return binary.Read(s.r, binary.BigEndian, structure) }

func (s *session) put(structures ...any) error {
	for _, v := range structures {
		if err := binary.Write(s.w, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

// handshake ends when the client has chosen the export.
func (s *session) handshake() error {
	if err := s.put(uint64(magicHandshake), uint64(magicOption), uint16(flagFixedNewstyle|flagNoZeroes)); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	var flags uint32
	if err := s.get(&flags); err != nil {
		return err
	}
	for {
		var option struct {
			Magic  uint64
			Option uint32
			Length uint32
		}
		if err := s.get(&option); err != nil {
			return err
		}
		if option.Magic != magicOption || option.Length > maxOption {
			return fmt.Errorf("option %d of %d bytes with magic number %#x", option.Option, option.Length, option.Magic)
		}
		if _, err := s.r.Discard(int(option.Length)); err != nil {
			return err
		}
		chosen, err := s.answer(option.Option, flags)
		if err == nil {
			err = s.w.Flush()
		}
		if chosen || err != nil {
			return err
		}
	}
}

// transmissionFlags are sent with the size of the disk.
const transmissionFlags = uint16(flagHasFlags | flagReadOnly)

// answer answers an option, and reports whether transmission begins.
func (s *session) answer(option, flags uint32) (chosen bool, err error) {
	reply := func(kind uint32, data ...any) error {
		length := 0
		for _, v := range data {
			length += binary.Size(v)
		}
		return s.put(append([]any{uint64(magicReply), option, kind, uint32(length)}, data...)...)
	}
	switch option {
	case optExportName:
		if err := s.put(s.disk.Size(), transmissionFlags); err != nil {
			return false, err
		}
		if flags&flagNoZeroes == 0 {
			err = s.put([124]byte{})
		}
		return true, err
	case optInfo, optGo:
		if err := reply(repInfo, uint16(infoExport), s.disk.Size(), transmissionFlags); err != nil {
			return false, err
		}
		return option == optGo, reply(repAck)
	case optAbort:
		return false, errors.Join(reply(repAck), s.w.Flush(), errLeft)
	}
	return false, reply(repErrUnsup)
}

// transmit answers requests, one after the other.
func (s *session) transmit() error {
	buffer := make([]byte, 0, 1<<20)
	for {
		var request struct {
			Magic  uint32
			Flags  uint16
			Type   uint16
			Cookie uint64
			Offset uint64
			Length uint32
		}
		if err := s.get(&request); err != nil {
			return err
		}
		if request.Magic != magicRequest {
			return fmt.Errorf("request with magic number %#x", request.Magic)
		}
		errno := uint32(0)
		data := []byte(nil)
		size := uint64(s.disk.Size())
		switch {
		case request.Type == cmdDisconnect:
			return errLeft
		case request.Type != cmdRead:
			return fmt.Errorf("request of type %d, of a disk that is read only", request.Type)
		case request.Length > maxRead || request.Offset > size || uint64(request.Length) > size-request.Offset:
			errno = errnoInvalid
		default:
			if cap(buffer) < int(request.Length) {
				buffer = make([]byte, request.Length)
			}
			data = buffer[:request.Length]
			if n, err := s.disk.ReadAt(data, int64(request.Offset)); n < len(data) && err != nil {
				errno, data = errnoIO, nil
			}
		}
		if err := s.put(uint32(magicResponse), errno, request.Cookie); err != nil {
			return err
		}
		if _, err := s.w.Write(data); err != nil {
			return err
		}
		if err := s.w.Flush(); err != nil {
			return err
		}
	}
}
