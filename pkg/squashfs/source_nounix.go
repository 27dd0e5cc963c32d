//go:build !unix

package squashfs

import "io/fs"

// own fills in what Unix has and io/fs has not.
func (*hostDir) own(*Attributes, fs.FileInfo) {}
