package hybridiso

import (
	"strings"
	"time"
)

// suspHeader begins each system use entry (SUSP 1.12 §4.1).
type suspHeader struct {
	Signature [2]byte
	Length    uint8 // of the whole entry
	Version   uint8
}

// sharingProtocol is the SP entry (SUSP §5.3), first in the root directory.
type sharingProtocol struct {
	suspHeader
	CheckBytes   [2]byte
	BytesSkipped uint8
}

// continuationArea is the CE entry (SUSP §5.1): where the entries go on.
type continuationArea struct {
	suspHeader
	Block, Offset, Length both32
}

// extensionsReference is the ER entry (SUSP §5.5), followed by its three texts.
type extensionsReference struct {
	suspHeader
	IdentifierLength, DescriptorLength, SourceLength uint8
	ExtensionVersion                                 uint8
}

// posixAttributes is the PX entry (RRIP 1.10 §4.1.1).
type posixAttributes struct {
	suspHeader
	Mode, Links, UserID, GroupID both32
}

// timeStamps is the TF entry (RRIP §4.1.6) with the three short dates that
// POSIX has.
type timeStamps struct {
	suspHeader
	Flags                     uint8
	Modify, Access, Attribute shortDate
}

// flaggedEntry begins the NM (RRIP §4.1.4) and SL entries (RRIP §4.1.3).
type flaggedEntry struct {
	suspHeader
	Flags uint8
}

// linkComponent begins a component record of an SL entry (RRIP §4.1.3.1).
type linkComponent struct {
	Flags, Length uint8
}

// The lengths of the entries, asserted against the structures by a test.
const (
	maxEntryLength        = 255
	suspHeaderLength      = 4
	sharingProtocolLength = 7
	continuationLength    = 28
	extensionsLength      = 8
	posixLength           = 36
	timeStampsLength      = 26
	flaggedLength         = 5
	componentLength       = 2
)

// Bits of the entries' flags.
const (
	flagContinue = 1 << 0 // NM, SL and component: the next one goes on

	componentCurrent = 1 << 1
	componentParent  = 1 << 2
	componentRoot    = 1 << 3

	stampModify    = 1 << 1
	stampAccess    = 1 << 2
	stampAttribute = 1 << 3
)

// File types and permissions of POSIX (RRIP §4.1.1).
const (
	modeDirectory = 0o040555
	modeRegular   = 0o100444
	modeSymlink   = 0o120777
	fileTypeMask  = 0o170000
	fileTypeDir   = 0o040000
	fileTypeLink  = 0o120000
)

// The extension's identification (RRIP §4.3).
const (
	rripIdentifier = "RRIP_1991A"
	rripDescriptor = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
	rripSource     = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)

// sharingCheck are the check bytes of an SP entry (SUSP §5.3).
var sharingCheck = [2]byte{0xBE, 0xEF}

func newSUSPHeader(signature string, length int) suspHeader {
	return suspHeader{Signature: [2]byte([]byte(signature)), Length: uint8(length), Version: 1}
}

// rockRidgeEntries returns the system use entries that describe n, under its
// real name.
func rockRidgeEntries(n *node, stamp time.Time) [][]byte {
	entries := append(attributeEntries(n, stamp), nameEntries(n.name)...)
	if n.kind == symlinkNode {
		entries = append(entries, linkEntries(n.file.Link)...)
	}
	return entries
}

// selfEntries returns the entries of a directory's own record, which in the
// root also announce the protocol.
func selfEntries(n *node, root bool, stamp time.Time) [][]byte {
	attributes := attributeEntries(n, stamp)
	if !root {
		return attributes
	}
	sp := encode(sharingProtocol{
		suspHeader: newSUSPHeader("SP", sharingProtocolLength),
		CheckBytes: sharingCheck,
	})
	er := encode(extensionsReference{
		suspHeader:       newSUSPHeader("ER", extensionsLength+len(rripIdentifier)+len(rripDescriptor)+len(rripSource)),
		IdentifierLength: uint8(len(rripIdentifier)),
		DescriptorLength: uint8(len(rripDescriptor)),
		SourceLength:     uint8(len(rripSource)),
		ExtensionVersion: 1,
	})
	er = append(er, rripIdentifier+rripDescriptor+rripSource...)
	return append(append([][]byte{sp}, attributes...), er)
}

func attributeEntries(n *node, stamp time.Time) [][]byte {
	mode := uint32(modeRegular)
	switch {
	case n.kind == symlinkNode:
		mode = modeSymlink
	case n.kind == directoryNode:
		mode = modeDirectory
	}
	if perm := uint32(n.file.Mode.Perm()); perm != 0 && n.kind != symlinkNode {
		mode = mode&fileTypeMask | perm
	}
	date := newShortDate(stamp)
	return [][]byte{
		encode(posixAttributes{
			suspHeader: newSUSPHeader("PX", posixLength),
			Mode:       newBoth32(mode),
			Links:      newBoth32(n.links),
		}),
		encode(timeStamps{
			suspHeader: newSUSPHeader("TF", timeStampsLength),
			Flags:      stampModify | stampAccess | stampAttribute,
			Modify:     date,
			Access:     date,
			Attribute:  date,
		}),
	}
}

// nameEntries records a name in as many NM entries as it takes.
func nameEntries(name string) [][]byte {
	var entries [][]byte
	for name != "" {
		part := name[:min(len(name), maxEntryLength-flaggedLength)]
		name = name[len(part):]
		entry := flaggedEntry{suspHeader: newSUSPHeader("NM", flaggedLength+len(part))}
		if name != "" {
			entry.Flags = flagContinue
		}
		entries = append(entries, append(encode(entry), part...))
	}
	return entries
}

// linkEntries records a link target in as many SL entries as it takes.
func linkEntries(target string) [][]byte {
	var bodies [][]byte // component records, by entry
	add := func(flags uint8, content string) {
		length := componentLength + len(content)
		if last := len(bodies) - 1; last < 0 || flaggedLength+len(bodies[last])+length > maxEntryLength {
			bodies = append(bodies, nil)
		}
		last := len(bodies) - 1
		bodies[last] = append(bodies[last], encode(linkComponent{flags, uint8(len(content))})...)
		bodies[last] = append(bodies[last], content...)
	}

	if strings.HasPrefix(target, "/") {
		add(componentRoot, "")
	}
	for component := range strings.SplitSeq(target, "/") {
		switch component {
		case "":
		case ".":
			add(componentCurrent, "")
		case "..":
			add(componentParent, "")
		default:
			const most = maxEntryLength - flaggedLength - componentLength
			for ; len(component) > most; component = component[most:] {
				add(flagContinue, component[:most])
			}
			add(0, component)
		}
	}

	entries := make([][]byte, len(bodies))
	for i, body := range bodies {
		entry := flaggedEntry{suspHeader: newSUSPHeader("SL", flaggedLength+len(body))}
		if i < len(bodies)-1 {
			entry.Flags = flagContinue
		}
		entries[i] = append(encode(entry), body...)
	}
	return entries
}
