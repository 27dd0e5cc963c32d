package loader

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseGRUB reads a script of GRUB (GNU GRUB Manual 2.12, §6.3 "Writing full configuration
// files directly").
func ParseGRUB(text string) Menu {
	p := readGRUB(text)
	menu := Menu{Loader: GRUB, Items: p.items, Timeout: Forever}
	if seconds, err := strconv.Atoi(p.timeout); err == nil && seconds >= 0 {
		menu.Timeout = time.Duration(seconds) * time.Second
	}
	// What conditions and variables make of a menu is not known.
	menu.Sure = !p.conditional && !strings.Contains(p.timeout+p.defaultEntry, "$")
	menu.Default = resolve(p.items, p.defaultEntry)
	return menu
}

// resolve returns the way to the entry that a value of the variable "default" means (§16.1.5,
// "default"): a number, a title or an identifier, and more of them, after ">", in submenus. Of one
// that means nothing the first entry is taken.
func resolve(items []Item, value string) []int {
	if len(items) == 0 {
		return nil
	}
	first, rest, nested := strings.Cut(strings.ReplaceAll(value, ">>", "\x00"), ">")
	first = strings.ReplaceAll(first, "\x00", ">")
	n := slices.IndexFunc(items, func(i Item) bool { return first != "" && (i.Title == first || i.ID == first) })
	if number, err := strconv.Atoi(first); err == nil {
		n = number
	}
	if n < 0 || n >= len(items) {
		return []int{0}
	}
	if !nested || len(items[n].Items) == 0 {
		return []int{n}
	}
	return append([]int{n}, resolve(items[n].Items, strings.ReplaceAll(rest, "\x00", ">>"))...)
}

// grub is the state of a parser.
type grub struct {
	lexer
	items  []Item
	lines  []kernelLine // all of the script
	source []string     // other scripts that this one reads

	defaultEntry string
	timeout      string
	conditions   int  // that commands are read under
	conditional  bool // entries or settings are under some
	depth        int
}

// kernelLine is a command that loads a kernel.
type kernelLine struct {
	end  int // offset behind its last word
	line string
}

// maxBlocks bounds how deep blocks lie in each other.
const maxBlocks = 32

func readGRUB(text string) *grub {
	p := &grub{lexer: lexer{text: text}}
	for p.at < len(text) { // after a brace too many
		p.items = append(p.items, p.block(nil)...)
	}
	return p
}

// statement returns the next command without the words that structure scripts around it.
func (p *grub) statement() (words []string, e end) {
	words, e = p.command()
	for len(words) > 0 {
		switch words[0] {
		case "if", "while", "until", "for":
			p.conditions++
		case "fi", "done":
			p.conditions = max(0, p.conditions-1)
		case "then", "else", "elif", "do", "!":
		default:
			return words, e
		}
		words = words[1:]
	}
	return words, e
}

// block reads commands up to the end of the block, or of the text, and returns the items that
// they put into the menu. What loads a kernel is noted in the item of the block, if it is one's.
func (p *grub) block(item *Item) []Item {
	p.depth++
	defer func() { p.depth-- }()
	var items []Item
	for {
		words, e := p.statement()
		opened := e == openBlock
		if len(words) > 0 {
			switch name := words[0]; {
			case (name == "menuentry" || name == "submenu") && opened:
				items = append(items, p.item(words))
				opened = false
			case strings.HasPrefix(name, "linux") && len(words) > 1:
				line := strings.Join(words[1:], " ")
				p.lines = append(p.lines, kernelLine{p.wordEnd, line})
				if item != nil && item.CommandLine == "" {
					item.CommandLine = line
				}
			case strings.HasPrefix(name, "initrd") && item != nil:
				item.Initrds = append(item.Initrds, words[1:]...)
			case (name == "configfile" || name == "source" || name == "normal" || name == ".") && len(words) == 2:
				p.source = append(p.source, words[1])
			default:
				p.assign(words)
			}
		}
		switch {
		case opened: // of a function, or of an entry that is hidden
			if p.depth < maxBlocks {
				p.block(nil)
			}
		case e == closeBlock || e == endOfText:
			return items
		}
	}
}

// assign notes the settings of the outermost menu: "set name=value", or without the first word.
func (p *grub) assign(words []string) {
	if words[0] == "set" && len(words) > 1 {
		words = words[1:]
	}
	name, value, ok := strings.Cut(words[0], "=")
	if !ok || p.depth != 1 {
		return
	}
	switch name {
	case "default":
		p.defaultEntry = value
	case "timeout":
		p.timeout = value
	default:
		return
	}
	p.conditional = p.conditional || p.conditions > 0
}

// item reads the block of an entry or of a submenu.
func (p *grub) item(words []string) Item {
	item := Item{}
	p.conditional = p.conditional || p.conditions > 0
	item.Title, item.ID = titleOf(words[1:])
	if p.depth >= maxBlocks {
		return item
	}
	outer := p.conditions
	p.conditions = 0
	defer func() { p.conditions = outer }()
	if items := p.block(&item); words[0] == "submenu" {
		item.Items = items
		item.CommandLine, item.Initrds = "", nil
	}
	return item
}

// titleOf returns the title and the identifier of a menuentry (§16.1.1).
func titleOf(words []string) (title, id string) {
	titled := false
	for i := 0; i < len(words); i++ {
		name, value, valued := strings.Cut(words[i], "=")
		switch name {
		case "--class", "--users", "--hotkey", "--source", "--id", "$menuentry_id_option", "${menuentry_id_option}":
			if !valued && i+1 < len(words) {
				i++
				value = words[i]
			}
			if strings.Contains(name, "id") {
				id = value
			}
		case "--unrestricted":
		default:
			if !titled {
				title, titled = words[i], true
			}
		}
	}
	return title, id
}
