package hybridiso

import (
	"errors"
	"io/fs"
	"math/bits"
	"strings"
	"time"
)

// rockRidge is what the system use entries of a record say.
type rockRidge struct {
	name       string
	mode       uint32
	uid, gid   uint32
	target     string
	modified   time.Time
	relocated  bool   // RE: a directory that belongs elsewhere
	childBlock uint32 // CL: where the directory is
	zisofs     bool
	unpacked   int64 // size of a file that zisofs compresses

	targetOpen bool // the last component of target goes on
}

// posixTypes are the file types of st_mode that the flags of a record do not
// tell (RRIP §4.1.1).
var posixTypes = map[uint32]fs.FileMode{
	fileTypeLink: fs.ModeSymlink,
	0o010000:     fs.ModeNamedPipe,
	0o020000:     fs.ModeDevice | fs.ModeCharDevice,
	0o060000:     fs.ModeDevice,
	0o140000:     fs.ModeSocket,
}

var errSystemUse = errors.New("system use entries are damaged")

// xaLength is the CD-ROM XA attributes, behind which Linux looks for an SP entry,
// too (fs/isofs/rock.c, setup_rock_ridge).
const xaLength = 14

// sharing looks for the SP entry in the own record of the root directory, which
// says that there are system use entries, and where they begin in others.
func (r *Reader) sharing() (bool, error) {
	block := make([]byte, blockSize)
	if err := r.readAt(block, r.root.block*blockSize); err != nil {
		return false, err
	}
	raw, err := recordAt(block, 0)
	if err != nil {
		return false, err
	}
	for _, skip := range []int{0, xaLength} {
		area := raw.systemUse[min(skip, len(raw.systemUse)):]
		if len(area) < sharingProtocolLength || string(area[:2]) != "SP" {
			continue
		}
		var sp sharingProtocol
		decode(area, &sp)
		if sp.CheckBytes == sharingCheck {
			r.skip = int(sp.BytesSkipped)
			return true, nil
		}
	}
	return false, nil
}

// rockReader reads the system use entries of a directory's records.
type rockReader struct {
	r      *Reader
	budget int // bytes of continuations that may be read
}

// entries reads the entries of a record and of its continuations.
func (t *rockReader) entries(area []byte) (rockRidge, error) {
	var use rockRidge
	area = area[min(t.r.skip, len(area)):]
	for range maxContinuations {
		next, err := use.take(area)
		if err != nil || next == nil {
			return use, err
		}
		offset, length := next.Offset.value(), next.Length.value()
		if offset > blockSize || length > blockSize-offset {
			return rockRidge{}, errSystemUse
		}
		if t.budget -= int(length); t.budget < 0 {
			return rockRidge{}, errSystemUse
		}
		area = make([]byte, length)
		if err := t.r.readAt(area, int64(next.Block.value())*blockSize+int64(offset)); err != nil {
			return rockRidge{}, err
		}
	}
	return rockRidge{}, errSystemUse
}

// take adds the entries in area to use, and returns the CE entry if there is
// one.
func (use *rockRidge) take(area []byte) (next *continuationArea, err error) {
	for len(area) >= suspHeaderLength {
		var header suspHeader
		decode(area, &header)
		length := int(header.Length)
		if header.Signature == [2]byte{} {
			break // padding
		}
		if length < suspHeaderLength || length > len(area) {
			return nil, errSystemUse
		}
		entry := area[:length]
		area = area[length:]
		signature := string(header.Signature[:])
		if least := leastLength[signature]; length < least {
			return nil, errSystemUse
		}
		switch signature {
		case "CE":
			next = new(continuationArea)
			decode(entry, next)
		case "ST":
			return next, nil
		default:
			if err := use.add(signature, entry); err != nil {
				return nil, err
			}
		}
	}
	return next, nil
}

// add takes one entry.
func (use *rockRidge) add(signature string, entry []byte) error {
	switch signature {
	case "PX":
		var px posixAttributes // longer in Rock Ridge 1.12
		decode(entry, &px)
		use.mode, use.uid, use.gid = px.Mode.value(), px.UserID.value(), px.GroupID.value()
	case "NM":
		if use.name += string(entry[flaggedLength:]); len(use.name) > maxName {
			return errSystemUse
		}
	case "SL":
		return use.addLink(entry[flaggedLength:])
	case "TF":
		use.addTimes(entry[flaggedLength-1], entry[flaggedLength:])
	case "CL":
		var cl childLink
		decode(entry, &cl)
		use.childBlock = cl.Block.value()
	case "RE":
		use.relocated = true
	case "ZF":
		use.zisofs = true
		if len(entry) >= zisofsEntryLength {
			var zf zisofsEntry
			decode(entry, &zf)
			use.unpacked = int64(zf.Size.value())
		}
	}
	return nil
}

// childLink is the CL entry (RRIP §4.1.5.1): where a directory is that is too
// deep for ISO 9660.
type childLink struct {
	suspHeader
	Block both32
}

const childLinkLength = 12

// zisofsEntry is the ZF entry (libisofs, doc/zisofs_format.txt).
type zisofsEntry struct {
	suspHeader
	Algorithm  [2]byte
	HeaderSize uint8
	BlockLog   uint8
	Size       both32 // uncompressed
}

const zisofsEntryLength = 16

// leastLength is the length of the entries that are read.
var leastLength = map[string]int{
	"CE": continuationLength,
	"PX": posixLength,
	"NM": flaggedLength,
	"SL": flaggedLength,
	"TF": flaggedLength,
	"CL": childLinkLength,
}

// Flags of a TF entry.
const (
	timeCreated  = 1 << 0
	timeModified = 1 << 1
	timeLong     = 1 << 7
)

// addTimes takes the time of modification, behind that of creation if there is
// one.
func (use *rockRidge) addTimes(flags uint8, times []byte) {
	var short shortDate
	var long longDate
	size := len(encode(short))
	if flags&timeLong != 0 {
		size = len(encode(long))
	}
	at := bits.OnesCount8(flags&timeCreated) * size
	if flags&timeModified == 0 || len(times) < at+size {
		return
	}
	if flags&timeLong != 0 {
		decode(times[at:], &long)
		use.modified = long.time()
		return
	}
	decode(times[at:], &short)
	use.modified = short.time()
}

// time returns the date, or zero for an impossible one.
func (d shortDate) time() time.Time {
	if d.Month == 0 || d.Month > 12 || d.Day == 0 || d.Day > 31 || d.Hour > 23 || d.Minute > 59 || d.Second > 59 {
		return time.Time{}
	}
	t := time.Date(minYear+int(d.YearsSince1900), time.Month(d.Month), int(d.Day), int(d.Hour), int(d.Minute), int(d.Second), 0, time.UTC)
	return t.Add(-time.Duration(d.QuarterHoursFromGMT) * 15 * time.Minute)
}

// addLink appends the component records of an SL entry to the target.
func (use *rockRidge) addLink(components []byte) error {
	for len(components) > 0 {
		var c linkComponent
		if len(components) < componentLength {
			return errSystemUse
		}
		rest := decode(components, &c)
		if int(c.Length) > len(rest) {
			return errSystemUse
		}
		content := string(rest[:c.Length])
		components = rest[c.Length:]

		if use.target != "" && !use.targetOpen && !strings.HasSuffix(use.target, "/") {
			use.target += "/"
		}
		switch {
		case c.Flags&componentCurrent != 0:
			content = "."
		case c.Flags&componentParent != 0:
			content = ".."
		case c.Flags&componentRoot != 0:
			content = "/"
		}
		if use.target += content; len(use.target) > maxTarget {
			return errSystemUse
		}
		use.targetOpen = c.Flags&flagContinue != 0
	}
	return nil
}
