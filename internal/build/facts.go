package build

// What a build tells its sink, beside the words that are Nix's own.
type (
	// MadeLive says that a configuration lacks the ISO module and gets it, or the one for
	// systems that start from memory.
	MadeLive struct {
		Configuration string `json:"configuration"`
		FromMemory    bool   `json:"from_memory,omitempty"`
	}
	// Evaluated says what was found.
	Evaluated struct {
		Configuration string `json:"configuration"`
		System        string `json:"system"`
		VolumeID      string `json:"volume_id"`
		Known         bool   `json:"known"` // from an earlier evaluation
	}
	// ToldPlatform says that Nix was told what this machine emulates.
	ToldPlatform struct {
		Platform string `json:"platform"`
	}
	// Built says what the image will hold.
	Built struct {
		StorePaths int   `json:"store_paths"`
		StoreBytes int64 `json:"store_bytes"` // as Nix counts, NAR sizes
	}
	// Adds says what a further system of the image brings to those before it.
	Adds struct {
		Configuration string `json:"configuration"`
		StorePaths    int    `json:"store_paths"`
		StoreBytes    int64  `json:"store_bytes"` // as Nix counts, NAR sizes
	}
	// Packed says what became of it.
	Packed struct {
		StorePaths  int    `json:"store_paths"`
		Size        int64  `json:"size"` // bytes
		Compression string `json:"compression"`
	}
	// Reused says what was taken from an earlier image.
	Reused struct {
		Path       string `json:"path"`
		StorePaths int    `json:"store_paths"`
		Bytes      int64  `json:"bytes"`   // of the store image
		Of         int64  `json:"of"`      // that it has
		Damaged    int64  `json:"damaged"` // bytes of the earlier image
	}
	// Unfit says why nothing was.
	Unfit struct {
		Path   string `json:"path"`
		Reason string `json:"reason"`
	}
	// Got says that a program came from the configuration's nixpkgs.
	Got struct {
		Program string `json:"program"`
	}
)
