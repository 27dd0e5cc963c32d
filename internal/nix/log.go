package nix

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// Message is something Nix printed.
type Message struct {
	Level Level
	Text  string // without colours; may have several lines
}

// Level is the verbosity of a message; logging.hh calls it Verbosity.
type Level int

const (
	LevelError Level = iota
	LevelWarning
	LevelNotice
	LevelInfo
	LevelTalkative
	LevelChatty
	LevelDebug
	LevelVomit
)

// entry is one line of Nix's standard error, in the terms of the
// internal-json format. Fields that are absent or of an unexpected type have
// their zero value.
type entry struct {
	Action string
	ID     uint64
	Type   int
	Level  Level
	Text   string
	Fields []field
	Msg    string
	RawMsg *string // only errors have it
}

// field is an element of "fields": a number or a string.
type field struct {
	number int64
	text   string
}

func (f *field) UnmarshalJSON(data []byte) error {
	// A value of another type is as good as an absent one: the format grows.
	if json.Unmarshal(data, &f.text) != nil {
		_ = json.Unmarshal(data, &f.number)
	}
	return nil
}

// Actions, activities and results of the format, with the names of
// logging.hh: ActivityType and ResultType.
const (
	actionStart   = "start"
	actionStop    = "stop"
	actionResult  = "result"
	actionMessage = "msg"

	actFileTransfer = 101
	actRealise      = 102
	actCopyPaths    = 103
	actBuilds       = 104
	actBuild        = 105

	resBuildLogLine = 101
	resSetPhase     = 104
	resProgress     = 105
	resSetExpected  = 106
)

// linePrefix starts a line of the format; others are plain text, from git, ssh
// or Nix itself.
var linePrefix = []byte("@nix ")

// parseEntry reads a line without its newline. Text that is not of the format
// becomes a message.
func parseEntry(line []byte) entry {
	if data, ok := bytes.CutPrefix(line, linePrefix); ok {
		var e entry
		if parseJSON(data, &e) {
			return e
		}
	}
	return plainEntry(string(line))
}

// parseJSON decodes field by field, so that one of an unexpected type does not
// cost the others. It reports whether data is an object with an action.
func parseJSON(data []byte, e *entry) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return false
	}
	for name, target := range map[string]any{
		"action": &e.Action, "id": &e.ID, "type": &e.Type, "level": &e.Level, "text": &e.Text,
		"fields": &e.Fields, "msg": &e.Msg, "raw_msg": &e.RawMsg,
	} {
		if raw, ok := object[name]; ok {
			_ = json.Unmarshal(raw, target)
		}
	}
	return e.Action != ""
}

// plainEntry turns text into a message. Nix prints its own errors so until it
// has read --log-format, and git does.
func plainEntry(line string) entry {
	text := plain(line)
	e := entry{Action: actionMessage, Level: LevelNotice, Msg: text}
	switch {
	case strings.HasPrefix(text, errorPrefix):
		e.Level = LevelError
	case strings.HasPrefix(text, "warning: "):
		e.Level = LevelWarning
	case strings.HasPrefix(text, "fatal: "): // git
		raw := strings.TrimPrefix(text, "fatal: ")
		e.Level, e.RawMsg = LevelError, &raw
	}
	return e
}

const errorPrefix = "error:"

// errorText returns an error message alone, and whether e is one.
func errorText(e entry) (string, bool) {
	if e.RawMsg != nil {
		return plain(*e.RawMsg), true
	}
	text := plain(e.Msg)
	if e.Level != LevelError || !strings.HasPrefix(text, errorPrefix) {
		return "", false
	}
	// Errors that the daemon logs come without raw_msg. The trace, if any, is
	// before the error, and all lines but the first are indented.
	if i := strings.LastIndex(text, "\n"+errorIndent+errorPrefix+" "); i >= 0 {
		text = text[i+len("\n"+errorIndent):]
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, errorPrefix))
	return strings.ReplaceAll(text, "\n"+errorIndent, "\n"), true
}

// errorIndent is as wide as "error: ".
const errorIndent = "       "

// escapes are the terminal control sequences of ECMA-48 (CSI) and the
// hyperlinks (OSC) that builders and Nix print.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)|\x1b.?")

// plain removes colours and everything else that controls a terminal, except
// newlines and tabs.
func plain(s string) string {
	if strings.IndexFunc(s, controls) < 0 {
		return strings.TrimRight(s, "\n")
	}
	s = escapes.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if controls(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimRight(s, "\n")
}

func controls(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// lastVisible returns what a terminal shows of a line: what comes after the
// last carriage return, with which builders rewrite their progress.
func lastVisible(line string) string {
	line = strings.TrimRight(line, "\r\n")
	return plain(line[strings.LastIndexByte(line, '\r')+1:])
}
