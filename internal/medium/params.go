package medium

import (
	"bytes"
	"fmt"
	"strings"
)

// StampParams is the file of a medium whose menus take words for the command lines of kernels that
// are stamped onto it: a block of GRUB's environment (GRUB manual, "The GRUB environment block"), which
// its menus read. Isolinux has no variables; its menus have a gap in each entry, as [ParamsGap].
const StampParams = "boot/livebuild/params"

// Variables of that block: the words, which GRUB puts on each command line, and how many bytes of them all entries
// have room for.
const (
	ParamsVariable = "livebuild_params"
	RoomVariable   = "livebuild_room"
)

// ParamsGap is how many bytes of a menu of isolinux a gap has, and MaxParams how many bytes of words fit there and
// into the block.
const (
	ParamsGap = 512
	MaxParams = ParamsGap - len(" \n#")

	paramsBlock = 1024 // bytes, as grub-editenv makes it
)

// ParamsMark is what a gap ends before.
const ParamsMark = "#livebuild-params\n"

// GapOf is what a gap holds with words in it: the rest of the line that it begins in, and a comment. What
// is longer than [MaxParams] has no place.
func GapOf(params string) []byte {
	if params != "" {
		params = " " + params
	}
	text := params + "\n"
	return []byte(text + strings.Repeat("#", ParamsGap-len(text)))
}

// EnvironmentOf is the block with words in it, and the room that there is for them in bytes.
func EnvironmentOf(params string, room int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# GRUB Environment Block\n%s=%s\n%s=%d\n", ParamsVariable, params, RoomVariable, room)
	return append(b.Bytes(), bytes.Repeat([]byte("#"), paramsBlock-b.Len())...)
}
