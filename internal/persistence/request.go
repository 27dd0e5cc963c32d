package persistence

import "fmt"

// requestSize is what a request takes of the partition's end, in bytes.
const requestSize = 4096

// request is what a new partition has in its last block, so that stage 1 makes a file system in
// it at the first start: with the programs of the image, which its own kernel understands. A
// start that is interrupted before that is done finds it again.
const request = "livebuild: a file system is made here at the first start.\n"

// Piece is a part of a disk and what is to be there.
type Piece struct {
	Offset int64 // in bytes
	Data   []byte
}

// Pieces are the parts of a new partition that are written, none of another one: its beginning is
// made empty, so that nothing of what was there before is taken for a file system, and its end has
// the request.
func (k Kept) Pieces() []Piece {
	if k.Fresh == Ready {
		return nil
	}
	end := make([]byte, requestSize)
	copy(end, fmt.Sprintf("%s%s\n", request, k.Fresh))
	return []Piece{{k.Start, make([]byte, Ends)}, {k.End() - requestSize, end}}
}
