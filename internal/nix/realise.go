package nix

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Target is something to be had in the store: outputs of a derivation, or a
// plain store path if Path does not end in ".drv".
type Target struct {
	Path    string
	Outputs []string // names, for a derivation; none stands for all
}

// Targets makes targets of a map from paths to output names, the form in
// which builtins.getContext tells what a string depends on. They are sorted.
func Targets(outputs map[string][]string) []Target {
	var targets []Target
	for _, path := range sortedKeys(outputs) {
		names := slices.Clone(outputs[path])
		slices.Sort(names)
		targets = append(targets, Target{Path: path, Outputs: slices.Compact(names)})
	}
	return targets
}

// arg is the target in the syntax of nix-store, known to all versions. The
// syntax of the new command line, drv^out, came in 2.13.
func (t Target) arg() string {
	if !strings.HasSuffix(t.Path, ".drv") || len(t.Outputs) == 0 {
		return t.Path
	}
	return t.Path + "!" + strings.Join(t.Outputs, ",")
}

func targetArgs(targets []Target) []string {
	args := make([]string, len(targets))
	for i, t := range targets {
		args[i] = t.arg()
	}
	return args
}

// Missing is what has to be done to realise targets.
type Missing struct {
	Build   []string // derivations to be built, dependencies first
	Fetch   []string // store paths to be downloaded, sorted
	Unknown []string // neither in the store, nor to be built or downloaded

	DownloadSize, UnpackedSize int64 // of Fetch, in bytes; as exact as Nix prints them
}

// Missing finds out what is not in the store yet, without building. It asks
// the substituters, so it may use the network.
func (n *Nix) Missing(ctx context.Context, targets []Target) (Missing, error) {
	if len(targets) == 0 {
		return Missing{}, nil
	}
	if err := n.deliver(ctx, targets); err != nil {
		return Missing{}, err
	}
	var missing Missing
	for chunk := range slices.Chunk(targets, argumentPaths) {
		o, err := n.runStore(ctx, Querying, []string{"--realise", "--dry-run"}, targetArgs(chunk))
		if err != nil {
			return Missing{}, err
		}
		missing.add(parseMissing(o.log.notes))
	}
	slices.Sort(missing.Fetch)
	return missing, nil
}

// add unites what has to be done for further targets with it. Sizes are those of
// each, so what several need counts more than once.
func (m *Missing) add(more Missing) {
	unite := func(to *[]string, paths []string) {
		for _, path := range paths {
			if !slices.Contains(*to, path) {
				*to = append(*to, path)
			}
		}
	}
	unite(&m.Build, more.Build)
	unite(&m.Fetch, more.Fetch)
	unite(&m.Unknown, more.Unknown)
	m.DownloadSize += more.DownloadSize
	m.UnpackedSize += more.UnpackedSize
}

var (
	buildHeading   = regexp.MustCompile(`^(?:this|these \d+) derivations? will be built:`)
	fetchHeading   = regexp.MustCompile(`^(?:this|these \d+) paths? will be fetched(?: \(([0-9.]+ \w+) download, ([0-9.]+ \w+) unpacked\))?:`)
	unknownHeading = regexp.MustCompile(`^don't know how to build these paths`)
)

// parseMissing reads the lists that Nix prints at level info: headings, and
// indented store paths below them.
func parseMissing(lines []string) Missing {
	var missing Missing
	var list *[]string
	for _, line := range lines {
		if path, ok := strings.CutPrefix(line, "  "); ok {
			if list != nil {
				*list = append(*list, strings.TrimSpace(path))
			}
			continue
		}
		list = nil
		if buildHeading.MatchString(line) {
			list = &missing.Build
		} else if m := fetchHeading.FindStringSubmatch(line); m != nil {
			list = &missing.Fetch
			missing.DownloadSize, missing.UnpackedSize = parseSize(m[1]), parseSize(m[2])
		} else if unknownHeading.MatchString(line) {
			list = &missing.Unknown
		}
	}
	return missing
}

// parseSize reads a size like "12.50 MiB". Before Nix 2.33 the unit was always
// MiB.
func parseSize(text string) int64 {
	number, unit, _ := strings.Cut(text, " ")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	shift := max(0, strings.IndexByte("BKMGTP", unit[0]))
	return int64(value * float64(int64(1)<<(10*shift)))
}

// Realise builds or downloads the targets, and copies them to this machine if they
// were built on another. The symbolic link root, and root-2, root-3 and so on for
// further ones, protects them from the garbage collector as long as it exists; see
// Roots for a place. It returns the store paths, in the order of the targets; those
// of one target are in no particular order.
//
// Errors that Nix reports are of type *BuildError if something could not be
// built, otherwise *Error. After KindVanished the caller may evaluate again:
// nothing protects a derivation between its evaluation and now.
func (n *Nix) Realise(ctx context.Context, targets []Target, root string) ([]string, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	s, err := n.stores(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.deliver(ctx, targets); err != nil {
		return nil, err
	}
	var all []string
	for chunk := range slices.Chunk(targets, argumentPaths) {
		link := fmt.Sprintf("%s-%d", root, len(all))
		if len(all) == 0 {
			link = root
		}
		var paths []string
		if s.remote {
			paths, err = n.realiseElsewhere(ctx, s, chunk, link)
		} else {
			paths, err = n.realise(ctx, "", targetArgs(chunk), link)
		}
		if err != nil {
			return nil, err
		}
		if len(paths) < len(chunk) {
			return nil, fmt.Errorf("nix-store realised %d paths for %d targets", len(paths), len(chunk))
		}
		all = append(all, paths...)
	}
	return all, nil
}

// realise builds what the arguments of nix-store name, and returns the paths.
func (n *Nix) realise(ctx context.Context, store string, args []string, root string) ([]string, error) {
	o, err := n.runStoreIn(ctx, store, Building, []string{"--realise", "--add-root", root}, args)
	if err != nil {
		return nil, err
	}
	// nix-store prints the links.
	var paths []string
	for _, link := range lines(o.stdout) {
		path, err := os.Readlink(link)
		if err != nil {
			return nil, fmt.Errorf("reading garbage collector root: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// realiseElsewhere builds on another machine, where there are no links, and copies
// the paths here.
func (n *Nix) realiseElsewhere(ctx context.Context, s stores, targets []Target, root string) ([]string, error) {
	o, err := n.runStore(ctx, Building, []string{"--realise"}, targetArgs(targets))
	if err != nil {
		return nil, err
	}
	paths := lines(o.stdout)
	if err := n.copyPaths(ctx, s.build, s.eval, paths); err != nil {
		return nil, err
	}
	_, err = n.realise(ctx, s.eval, paths, root)
	return paths, err
}

func lines(text []byte) []string {
	return slices.Collect(strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '\n' }))
}
