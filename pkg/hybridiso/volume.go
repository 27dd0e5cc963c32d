package hybridiso

import (
	"strings"
	"time"
)

// volumeDescriptor is a primary or supplementary volume descriptor (ECMA-119
// §8.4, §8.5); they differ in the two fields that the primary one leaves zero.
type volumeDescriptor struct {
	Type                        uint8
	StandardIdentifier          [5]byte
	Version                     uint8
	VolumeFlags                 uint8 // supplementary
	SystemIdentifier            [32]byte
	VolumeIdentifier            [32]byte
	_                           [8]byte
	VolumeSpaceSize             both32
	EscapeSequences             [32]byte // supplementary
	VolumeSetSize               both16
	VolumeSequenceNumber        both16
	LogicalBlockSize            both16
	PathTableSize               both32
	TypeLPathTable              uint32
	OptionalTypeLPathTable      uint32
	TypeMPathTable              big32
	OptionalTypeMPathTable      big32
	RootDirectoryRecord         [34]byte
	VolumeSetIdentifier         [128]byte
	PublisherIdentifier         [128]byte
	DataPreparerIdentifier      [128]byte
	ApplicationIdentifier       [128]byte
	CopyrightFileIdentifier     [37]byte
	AbstractFileIdentifier      [37]byte
	BibliographicFileIdentifier [37]byte
	CreationDate                longDate
	ModificationDate            longDate
	ExpirationDate              longDate
	EffectiveDate               longDate
	FileStructureVersion        uint8
	_                           uint8
	ApplicationUse              [512]byte
	_                           [653]byte
}

// bootRecord is the boot record volume descriptor (ECMA-119 §8.2) as El Torito
// 1.0 fills it (figure 7).
type bootRecord struct {
	Type                 uint8
	StandardIdentifier   [5]byte
	Version              uint8
	BootSystemIdentifier [32]byte
	BootIdentifier       [32]byte
	BootCatalog          uint32
	_                    [1973]byte
}

// setTerminator is the volume descriptor set terminator (ECMA-119 §8.3).
type setTerminator struct {
	Type               uint8
	StandardIdentifier [5]byte
	Version            uint8
	_                  [2041]byte
}

// Volume descriptor types (ECMA-119 §8.1.1).
const (
	typeBootRecord    = 0
	typePrimary       = 1
	typeSupplementary = 2
	typeTerminator    = 255
)

// descriptorBlock is where the volume descriptors of a volume begin; the system
// area is before them (ECMA-119 §6.2.1).
const descriptorBlock = 16

var (
	standardIdentifier = [5]byte{'C', 'D', '0', '0', '1'}
	elToritoIdentifier = [32]byte([]byte("EL TORITO SPECIFICATION\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
)

// volume is one ISO 9660 volume of the image: that of the whole, or that of
// partition 1.
type volume struct {
	id       string
	base     int64 // the block of the image that addresses count from
	bootable bool  // has a boot catalog
	primary  *hierarchy
	joliet   *hierarchy

	// hundredths tell the volumes' dates apart. Their UUID, as blkid and GRUB
	// see it, is the modification date, and two file systems must not share one.
	hundredths int
}

// newVolume plans the two hierarchies of a volume over root and the nodes
// below it that are to be included.
func newVolume(id string, base int64, root *node, stamp time.Time, include func(*node) bool) (*volume, error) {
	primary, err := newHierarchy(root, primaryNames, stamp, include)
	if err != nil {
		return nil, err
	}
	joliet, err := newHierarchy(root, jolietNames, stamp, include)
	if err != nil {
		return nil, err
	}
	return &volume{id: id, base: base, primary: primary, joliet: joliet}, nil
}

func (v *volume) hierarchies() []*hierarchy { return []*hierarchy{v.primary, v.joliet} }

// blocks returns the size of the volume.
func (v *volume) blocks(g geometry) int64 {
	if v.base != 0 {
		return g.dataEnd - v.base
	}
	return g.blocks
}

// descriptorCount is the length of the volume descriptor set in blocks.
func (v *volume) descriptorCount() int64 {
	if v.bootable {
		return 4
	}
	return 3
}

// descriptors returns the volume descriptor set, given the block of the boot
// catalog.
func (v *volume) descriptors(img Image, g geometry, catalog int64) []byte {
	set := encode(v.primaryDescriptor(img, g))
	if v.bootable {
		// El Torito requires the boot record in the second block.
		set = append(set, encode(bootRecord{
			Type:                 typeBootRecord,
			StandardIdentifier:   standardIdentifier,
			Version:              1,
			BootSystemIdentifier: elToritoIdentifier,
			BootCatalog:          uint32(catalog - v.base),
		})...)
	}
	set = append(set, encode(v.jolietDescriptor(img, g))...)
	return append(set, encode(setTerminator{
		Type:               typeTerminator,
		StandardIdentifier: standardIdentifier,
		Version:            1,
	})...)
}

func (v *volume) primaryDescriptor(img Image, g geometry) volumeDescriptor {
	d := v.descriptor(img, g, v.primary, padASCII)
	d.Type = typePrimary
	return d
}

func (v *volume) jolietDescriptor(img Image, g geometry) volumeDescriptor {
	d := v.descriptor(img, g, v.joliet, padUCS2)
	d.Type = typeSupplementary
	copy(d.EscapeSequences[:], jolietEscape)
	return d
}

// descriptor fills the fields that both descriptors have, texts through pad.
func (v *volume) descriptor(img Image, g geometry, h *hierarchy, pad func([]byte, string)) volumeDescriptor {
	date := newLongDate(img.Time, v.hundredths)
	d := volumeDescriptor{
		StandardIdentifier:   standardIdentifier,
		Version:              1,
		VolumeSpaceSize:      newBoth32(uint32(v.blocks(g))),
		VolumeSetSize:        newBoth16(1),
		VolumeSequenceNumber: newBoth16(1),
		LogicalBlockSize:     newBoth16(blockSize),
		PathTableSize:        newBoth32(uint32(h.pathTableSize)),
		TypeLPathTable:       uint32(h.pathTableL - v.base),
		TypeMPathTable:       newBig32(uint32(h.pathTableM - v.base)),
		RootDirectoryRecord:  [rootRecordLength]byte(h.rootRecord(g)),
		CreationDate:         date,
		ModificationDate:     date,
		ExpirationDate:       unspecifiedDate(),
		EffectiveDate:        unspecifiedDate(),
		FileStructureVersion: 1,
	}
	pad(d.SystemIdentifier[:], img.SystemID)
	pad(d.VolumeIdentifier[:], v.id)
	pad(d.VolumeSetIdentifier[:], img.VolumeSetID)
	pad(d.PublisherIdentifier[:], img.Publisher)
	pad(d.DataPreparerIdentifier[:], img.DataPreparer)
	pad(d.ApplicationIdentifier[:], img.Application)
	pad(d.CopyrightFileIdentifier[:], "")
	pad(d.AbstractFileIdentifier[:], "")
	pad(d.BibliographicFileIdentifier[:], "")
	return d
}

// padASCII fills field with s and spaces.
func padASCII(field []byte, s string) {
	n := copy(field, s)
	copy(field[n:], strings.Repeat(" ", len(field)-n))
}

// padUCS2 fills field with as much of s as it holds in UCS-2, and spaces. The
// last byte of a field of odd length stays zero.
func padUCS2(field []byte, s string) {
	units := make([]byte, len(field)/2)
	padASCII(units, s)
	copy(field, ucs2(string(units)))
}
