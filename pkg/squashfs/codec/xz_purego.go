//go:build !cgo

package codec

// xzBackend refuses: the xz encoders in Go are worse than deflate.
func xzBackend(Settings) (backend, error) {
	return backend{}, &UnsupportedError{Name: XZ, Reason: "needs liblzma, and this program was built without cgo"}
}

// checkFilters leaves the refusal to xzBackend.
func checkFilters(Filters) error { return nil }
