//go:build !linux

package copyrange

import "os"

func copyFiles(*os.File, int64, *os.File, int64, int64) int64 { return 0 }
