package codec

// Library says what does the work of a compression in this build.
type Library struct {
	Compression string // None aside, as mksquashfs names it
	Name        string // and version, and what of the library it is, at the default level
	Refusal     error  // why the build does not compress so, nil if it does; an [*UnsupportedError]
}

// Libraries returns that of every compression, from the fastest to the densest.
func Libraries() (list []Library) {
	for _, m := range methods {
		if m.name == None {
			continue
		}
		c, err := newCodec(Settings{Name: m.name, BlockSize: DefaultBlockSize})
		if err == nil {
			err = c.backend.refusal
		}
		library := Library{Compression: m.name, Refusal: err}
		if err == nil {
			library.Name = c.backend.library
		}
		list = append(list, library)
	}
	return list
}
