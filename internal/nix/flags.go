package nix

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flag is a flag of Nix that may be passed through.
type Flag struct {
	Name  string   // long name, without the dashes
	Short string   // one letter, or empty
	Args  []string // what its arguments are called
	Usage string   // one line

	store mapping // what nix-store is to get
	as    []string
}

// mapping says what becomes of a flag when nix-store is called. The
// evaluating nix always gets the flag itself.
type mapping int

const (
	evalOnly mapping = iota // nix-store does not have it, nor the need for it
	same                    // nix-store takes it too
	replaced                // nix-store has settings of the same effect
)

// flagTable lists the flags in the order of the help text. What --offline and
// --refresh stand for is in src/nix/main.cc of Nix 2.8 to 2.35.
var flagTable = []Flag{
	{Name: "override-input", Args: []string{"INPUT", "REF"}, Usage: "use another flake for an input"},
	{Name: "override-flake", Args: []string{"REF", "REF"}, Usage: "replace a flake of the registry"},
	{Name: "inputs-from", Args: []string{"REF"}, Usage: "take the inputs of a flake as registry entries"},
	{Name: "no-registries", Usage: "do not use the flake registries"},
	{Name: "no-update-lock-file", Usage: "fail if the lock file needs changes"},
	{Name: "no-write-lock-file", Usage: "do not write the lock file"},
	{Name: "reference-lock-file", Args: []string{"FILE"}, Usage: "read this lock file instead of the flake's"},
	{Name: "accept-flake-config", Usage: "use the settings in the flake's nixConfig"},
	{Name: "impure", Usage: "let the evaluation see the environment and mutable files"},
	{Name: "include", Short: "I", Args: []string{"PATH"}, Usage: "add to the search path for <...>"},
	{Name: "show-trace", Usage: "show the full trace of evaluation errors"},
	{Name: "refresh", Usage: "consider all cached downloads out of date", store: replaced, as: []string{
		"--option", "narinfo-cache-negative-ttl", "0", "--option", "narinfo-cache-positive-ttl", "0"}},
	{Name: "offline", Usage: "do not use substituters and the network", store: replaced, as: []string{
		"--option", "substitute", "false", "--option", "download-attempts", "0", "--option", "connect-timeout", "1"}},
	{Name: "option", Args: []string{"NAME", "VALUE"}, Usage: "set a Nix setting", store: same},
	{Name: "store", Args: []string{"URL"}, Usage: "build in another store, which may be on another machine", store: same},
	{Name: "eval-store", Args: []string{"URL"}, Usage: "evaluate in another store than to build in"},
	{Name: "builders", Args: []string{"MACHINES"}, Usage: "build on these machines", store: same},
	{Name: "max-jobs", Short: "j", Args: []string{"N"}, Usage: "number of builds at the same time", store: same},
	{Name: "cores", Args: []string{"N"}, Usage: "number of cores for each build", store: same},
	{Name: "keep-going", Short: "k", Usage: "go on with other builds when one fails", store: same},
	{Name: "keep-failed", Short: "K", Usage: "keep the folder of a failed build", store: same},
	{Name: "fallback", Usage: "build what cannot be downloaded", store: same},
	{Name: "timeout", Args: []string{"SECONDS"}, Usage: "time limit for each build", store: same},
	{Name: "max-silent-time", Args: []string{"SECONDS"}, Usage: "time limit for a build that prints nothing", store: same},
	{Name: "substituters", Args: []string{"URLS"}, Usage: "download from these caches", store: same},
	{Name: "extra-substituters", Args: []string{"URLS"}, Usage: "download from these caches too", store: same},
	{Name: "trusted-public-keys", Args: []string{"KEYS"}, Usage: "accept downloads signed with these keys", store: same},
	{Name: "extra-trusted-public-keys", Args: []string{"KEYS"}, Usage: "accept downloads signed with these keys too", store: same},
}

// PassThrough lists the flags that ParseFlags knows, in the order in which a
// help text should show them.
func PassThrough() []Flag { return slices.Clone(flagTable) }

// Flags are pass-through flags, sorted out for the two programs.
type Flags struct {
	Eval  []string // for nix
	Store []string // for nix-store

	acceptFlakeConfig bool
	evalStore         string // URL, or empty
}

// FlagError reports a flag of Nix that is used wrongly.
type FlagError struct {
	Flag   string // as written
	Reason string
}

func (e *FlagError) Error() string { return e.Flag + " " + e.Reason }

// ParseFlags takes the flags of Nix out of a command line and returns
// the other arguments in their order. It stops at "--", which stays. The
// argument of a flag that has exactly one may be attached: --cores=4, -j4.
// Errors are of type *FlagError.
func ParseFlags(args []string) (Flags, []string, error) {
	var flags Flags
	var rest []string
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			return flags, append(rest, args...), nil
		}
		flag, attached := lookUpFlag(word)
		args = args[1:]
		if flag == nil {
			rest = append(rest, word)
			continue
		}
		if attached != "" {
			args = slices.Insert(slices.Clone(args), 0, attached)
		}
		if len(args) < len(flag.Args) {
			return Flags{}, nil, &FlagError{Flag: word, Reason: "needs " + strings.Join(flag.Args, " and ")}
		}
		flags.add(flag, args[:len(flag.Args)])
		args = args[len(flag.Args):]
	}
	return flags, rest, nil
}

// lookUpFlag finds the flag that word names, and the argument attached to it.
func lookUpFlag(word string) (flag *Flag, attached string) {
	for i := range flagTable {
		f := &flagTable[i]
		if word == "--"+f.Name || f.Short != "" && word == "-"+f.Short {
			return f, ""
		}
		if len(f.Args) != 1 {
			continue
		}
		if value, ok := strings.CutPrefix(word, "--"+f.Name+"="); ok && value != "" {
			return f, value
		}
		if f.Short == "" {
			continue
		}
		if value, ok := strings.CutPrefix(word, "-"+f.Short); ok && value != "" {
			return f, value
		}
	}
	return nil, ""
}

func (f *Flags) add(flag *Flag, args []string) {
	// Long names only: the new command line lacks some of the short ones.
	words := append([]string{"--" + flag.Name}, args...)
	f.Eval = append(f.Eval, words...)
	switch flag.store {
	case same:
		f.Store = append(f.Store, words...)
	case replaced:
		f.Store = append(f.Store, flag.as...)
	}
	switch flag.Name {
	case "accept-flake-config":
		f.acceptFlakeConfig = true
	case "eval-store":
		f.evalStore = args[0]
	}
}

// With returns the flags and a further one that has no arguments.
func (f Flags) With(name string) Flags {
	flag, _ := lookUpFlag("--" + name)
	f.Eval, f.Store = slices.Clone(f.Eval), slices.Clone(f.Store)
	f.add(flag, nil)
	return f
}

// settingFlags turns the nixConfig of a flake into flags for nix-store.
// Settings are booleans, numbers, strings, or lists of strings.
func settingFlags(config map[string]any) ([]string, error) {
	var flags []string
	for _, name := range sortedKeys(config) {
		var value string
		switch v := config[name].(type) {
		case []any:
			words := make([]string, len(v))
			for i, w := range v {
				words[i] = fmt.Sprint(w)
			}
			value = strings.Join(words, " ")
		case string, bool, json.Number:
			value = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("nixConfig.%s: a setting cannot be of type %T", name, v)
		}
		flags = append(flags, "--option", name, value)
	}
	return flags, nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
