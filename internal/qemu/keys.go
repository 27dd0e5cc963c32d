package qemu

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Key is a key, or several pressed together and joined by hyphens, by the names that QEMU has
// for them (qapi/ui.json, QKeyCode): "ret", "down", "ctrl-x".
type Key string

// Keys that boot loaders know.
const (
	KeyHome  Key = "home"
	KeyEnd   Key = "end"
	KeyDown  Key = "down"
	KeyTab   Key = "tab"
	KeyEnter Key = "ret"

	// Settle is no key: it waits until the boot loader has read all that it shows next.
	Settle Key = ""
)

// keyNames are those of characters that are not their own.
var keyNames = map[rune]Key{
	' ': "spc", '=': "equal", ',': "comma", '.': "dot", '-': "minus", '/': "slash",
	'_': "shift-minus", ':': "shift-semicolon",
}

// Text returns the keys of a US keyboard, which boot loaders assume, that type s. It panics
// on characters that it does not know: s is a constant of the program.
func Text(s string) []Key {
	var keys []Key
	for _, r := range s {
		name, named := keyNames[r]
		switch {
		case named:
			keys = append(keys, name)
		case r >= 'A' && r <= 'Z':
			keys = append(keys, Key("shift-"+strings.ToLower(string(r))))
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			keys = append(keys, Key(r))
		default:
			panic(fmt.Sprintf("no key for %q", r))
		}
	}
	return keys
}

const (
	// keyInterval is the time from one key to the next. QEMU holds each for 100 ms; a BIOS
	// remembers 15.
	keyInterval = 150 * time.Millisecond

	// A boot loader that waits for the user reads nothing. One that decodes a picture reads
	// nothing either, but not for so long, and keys that come too early are remembered.
	settled = 2 * time.Second
	// submenus are read from memory, their pictures from the medium.
	submenuSettled = time.Second

	// loaderBytes is less than any boot loader with its menu has, and more than what
	// firmware reads of a medium to find out what is on it.
	loaderBytes = 128 << 10
)

// typeKeys types at the boot loader. From the start of the machine it presses Home, which firmware
// ignores and which in every menu stops the countdown at the first entry, until the
// boot loader is loaded and waits. The keys follow.
func typeKeys(ctx context.Context, c *control, keys []Key) error {
	for {
		r, err := c.mediumReads()
		if err != nil {
			return err
		}
		if r.bytes >= loaderBytes && r.idle >= settled {
			break
		}
		if err := c.press(ctx, KeyHome); err != nil {
			return err
		}
	}
	for _, key := range keys {
		var err error
		if key == Settle {
			err = c.settle(ctx)
		} else {
			err = c.press(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the medium has been idle for a while from now on.
func (c *control) settle(ctx context.Context) error {
	for begun := time.Now(); ; {
		if err := pause(ctx, keyInterval); err != nil {
			return err
		}
		r, err := c.mediumReads()
		if err != nil || r.idle >= submenuSettled && time.Since(begun) >= submenuSettled {
			return err
		}
	}
}

// press presses a key, and waits until it is time for the next.
func (c *control) press(ctx context.Context, key Key) error {
	type keyValue struct {
		Type string `json:"type"`
		Data string `json:"data"`
	}
	var values []keyValue
	for name := range strings.SplitSeq(string(key), "-") {
		values = append(values, keyValue{"qcode", name})
	}
	if err := c.execute("send-key", map[string]any{"keys": values}, nil); err != nil {
		return err
	}
	return pause(ctx, keyInterval)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
