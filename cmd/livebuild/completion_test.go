package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// complete asks the program itself, as shells do, and returns the words without descriptions, and
// the line that says how to go on.
func (c call) complete(t testing.TB, args ...string) (words []string, directive string) {
	t.Helper()
	o := c.livebuild(t, append([]string{"__complete"}, args...)...)
	if o.status != 0 {
		t.Fatalf("%q: %+v", args, o)
	}
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1]
}

// TestComplete completes what can be known: configurations, compressions, images, sticks, flags.
func TestComplete(t *testing.T) {
	mini, dir := miniISO(t), several(t)
	writeFile(t, filepath.Join(dir, "a.iso"), nil)
	writeFile(t, filepath.Join(dir, "iso.nix"), fmt.Appendf(nil, "{ one = import %[1]s/config.nix { }; two = import %[1]s/config.nix { }; }", miniFlake(t)))
	c := call{dir: dir}
	const files, noFiles, extensions, folders = ":0", ":4", ":8", ":16"
	for _, test := range []struct {
		args      []string
		words     []string // that are there
		without   []string
		directive string
	}{
		{[]string{"iso", ""}, []string{".#laptop", ".#my host", ".#rescue"}, nil, noFiles},
		{[]string{"plan", "."}, []string{".#laptop"}, nil, noFiles},
		{[]string{"bench", dir + "#"}, []string{dir + "#rescue"}, []string{".#rescue"}, noFiles},
		{[]string{"doctor", "path:" + dir + "#"}, []string{"path:" + dir + "#laptop"}, nil, noFiles},
		{[]string{"iso", "--impure", "--override-input", "a", "b", ".#"}, []string{".#laptop"}, nil, noFiles},
		{[]string{"iso", "--file", "iso.nix", ""}, []string{"one", "two"}, []string{".#laptop"}, noFiles},
		{[]string{"iso", ".#laptop", ""}, []string{".#rescue"}, []string{".#laptop"}, noFiles},
		{[]string{"kexec", ""}, []string{".#laptop", ".#rescue"}, nil, noFiles},
		{[]string{"kexec", ".#laptop", ""}, nil, []string{".#rescue"}, noFiles},
		{[]string{"netboot", ".#laptop", ""}, nil, []string{".#rescue"}, noFiles},
		{[]string{"iso", "sub/"}, nil, nil, files},
		{[]string{"iso", "./absent#"}, nil, nil, files},
		{[]string{"run", ""}, []string{".#laptop", "a.iso"}, nil, noFiles},
		{[]string{"run", "x"}, []string{"iso"}, nil, extensions},
		{[]string{"test", ""}, []string{"iso", "zst"}, nil, extensions},
		{[]string{"fetch", ""}, []string{"https://"}, nil, ":6"},
		{[]string{"stamp", ""}, []string{"iso"}, nil, extensions},
		{[]string{"diff", "a.iso", "."}, []string{".#laptop"}, nil, noFiles},
		{[]string{"init", ""}, nil, nil, folders},
		{[]string{"init", "--template", ""}, []string{"minimal", "rescue"}, nil, noFiles},
		{[]string{"man", ""}, nil, nil, folders},
		{[]string{"cat", mini.File, ""}, []string{"/isolinux/", "/EFI/", "/nix-store.squashfs", "/nix/store/", "esp:/"}, nil, ":6"},
		{[]string{"extract", mini.File, "/x", "/isolinux/isolinux.c"}, []string{"/isolinux/isolinux.cfg"}, []string{"/isolinux/isolinux.bin"}, noFiles},
		{[]string{"ls", mini.File, "/nix/sto"}, []string{"/nix/store/"}, nil, ":6"},
		{[]string{"ls", mini.File, "esp:/EF"}, []string{"esp:/EFI/"}, nil, ":6"},
		{[]string{"cat", "a.iso", "/"}, nil, nil, noFiles}, // which is empty
		{[]string{"cat", "absent.iso", "/"}, nil, nil, noFiles},
		{[]string{"iso", "--sbom", ""}, []string{"spdx", "cyclonedx"}, nil, noFiles},
		{[]string{"iso", "--jobs", ""}, nil, nil, noFiles},
		{[]string{"iso", "--max-size", ""}, nil, nil, noFiles},
		{[]string{"iso", "--sign", ""}, nil, nil, files},
		{[]string{"write", "--seed", ""}, []string{"iso"}, nil, extensions},
		{[]string{"iso", "--compression", ""}, []string{"none", "lz4", "gzip", "zstd", "xz"}, nil, ":36"},
		{[]string{"iso", "--compression", "zstd:"}, []string{"zstd:1", "zstd:15", "zstd:22"}, []string{"zstd:0", "zstd:23"}, ":36"},
		{[]string{"bench", "--compression=lz4:"}, []string{"lz4:1", "lz4:12", "lz4:hc"}, nil, ":36"},
		{[]string{"iso", "--reuse", ""}, []string{"auto", "none", "a.iso"}, nil, files},
		{[]string{"iso", "--file", ""}, []string{"nix"}, nil, extensions},
		{[]string{"test", "--modes", ""}, []string{"bios-cd", "uefi-usb"}, nil, noFiles},
		{[]string{"iso", "--progress", ""}, []string{"auto", "plain", "json", "quiet"}, nil, noFiles},
		// Flags of Nix, and their values, of which nothing is known.
		{[]string{"iso", "--sub"}, []string{"--substituters"}, nil, noFiles},
		{[]string{"iso", "--store", ""}, nil, nil, files},
		{[]string{"iso", "--option", "cores", ""}, nil, nil, files},
		{[]string{"inspect", "--sub"}, nil, []string{"--substituters"}, noFiles},
	} {
		words, directive := c.complete(t, test.args...)
		for _, word := range test.words {
			if !slices.Contains(words, word) {
				t.Errorf("%q lacks %q: %q", test.args, word, words)
			}
		}
		for _, word := range test.without {
			if slices.Contains(words, word) {
				t.Errorf("%q has %q: %q", test.args, word, words)
			}
		}
		if directive != test.directive {
			t.Errorf("%q goes on with %s, want %s", test.args, directive, test.directive)
		}
	}
	checkNames(t, dir, "a.iso", "flake.nix", "iso.nix") // no lock file
}

// TestCompleteCached asks Nix once, and again when the flake was changed. A Nix that does not answer
// is given up, and what is known counts.
func TestCompleteCached(t *testing.T) {
	miniFlake(t)
	dir, cache, folder := several(t), t.TempDir(), t.TempDir()
	log := filepath.Join(folder, "log")
	real := need.Path(t, "nix-bin", "nix")
	script := "#!/bin/sh\necho \"$@\" >>" + log + "\nexec " + real + " \"$@\"\n"
	stuck := "#!/bin/sh\n[ \"$1\" = --version ] && exec " + real + " --version\nexec sleep 600\n"
	install := func(text string) {
		t.Helper()
		for _, name := range []string{"nix", "nix-store"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := call{dir: dir, env: []string{"XDG_CACHE_HOME=" + cache, "PATH=" + folder + ":" + os.Getenv("PATH")}}
	evaluations := func() int {
		text, _ := os.ReadFile(log)
		return strings.Count(string(text), "--apply")
	}
	install(script)
	for range 3 {
		if words, _ := c.complete(t, "iso", ".#"); !slices.Equal(words, []string{".#laptop", ".#my host", ".#rescue"}) {
			t.Errorf("%q", words)
		}
	}
	if n := evaluations(); n != 1 {
		t.Errorf("Nix was asked %d times, want once", n)
	}
	writeFile(t, filepath.Join(dir, "flake.nix"), []byte("{ outputs = _: { nixosConfigurations.other = 1; }; }"))
	if words, _ := c.complete(t, "iso", ".#"); !slices.Equal(words, []string{".#other"}) || evaluations() != 2 {
		t.Errorf("after a change: %q, asked %d times", words, evaluations())
	}
	install(stuck)
	writeFile(t, filepath.Join(dir, "flake.nix"), []byte("{ outputs = _: { nixosConfigurations.third  = 1; }; }"))
	if words, _ := c.complete(t, "iso", ".#"); !slices.Equal(words, []string{".#other"}) {
		t.Errorf("with a Nix that hangs: %q", words)
	}
	writeFile(t, filepath.Join(cache, "livebuild", "configurations.json"), []byte("[damaged"))
	install(script)
	if words, _ := c.complete(t, "iso", ".#"); !slices.Equal(words, []string{".#third"}) {
		t.Errorf("with a damaged cache: %q", words)
	}
}

// TestCompleteSticks names sticks that may be written.
func TestCompleteSticks(t *testing.T) {
	free, used := newStick(t, 8*mib), newStick(t, 8*mib)
	judge(t, "e2fsprogs", "mkfs.ext4", "-q", used.path)
	mount(t, used.path)
	for args, both := range map[string]bool{"write\nan.iso\n": false, "write\nan.iso\n/dev/x\n": false, "iso\n--write\n": false, "verify\n/dev/": true} {
		words, _ := call{}.complete(t, strings.Split(args, "\n")...)
		if !slices.Contains(words, free.path) || slices.Contains(words, used.path) != both {
			t.Errorf("%q: %q, want %s, and %s: %t", args, words, free.path, used.path, both)
		}
	}
}

// TestCompleteInShells has shells themselves complete.
func TestCompleteInShells(t *testing.T) {
	miniFlake(t)
	dir := several(t)
	path := "PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH")
	run := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(need.Path(t, name, name), args...)
		cmd.Dir, cmd.Env = dir, environment(t, path, "HOME="+dir)
		o := runCommand(t, cmd)
		if o.status != 0 {
			t.Fatalf("%s: %+v", name, o)
		}
		return o.stdout
	}
	t.Run("bash", func(t *testing.T) {
		script := need.File(t, "bash-completion", "/usr/share/bash-completion/bash_completion")
		got := run(t, "bash", "--norc", "--noprofile", "-c", `. `+script+`; . <(livebuild completion bash)
compopt() { :; } # is for completions that a person asked for
try() { COMP_LINE=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMP_POINT=${#COMP_LINE}; COMPREPLY=(); __start_livebuild; printf '%s|' "${COMPREPLY[@]}"; echo; }
try 'livebuild iso .#l' livebuild iso '.#l'
try 'livebuild iso --compression zstd:2' livebuild iso --compression zstd : 2
try 'livebuild iso --substitut' livebuild iso --substitut`)
		// A colon ends a word of bash, so that what is before it is not said again.
		if want := ".#laptop|\n2|20|21|22|\n--substituters|\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("fish", func(t *testing.T) {
		got := run(t, "fish", "--no-config", "-c", `livebuild completion fish | source
complete -C "livebuild iso .#r"; complete -C "livebuild iso --compression gzip:1"; complete -C "livebuild iso --accept"`)
		if want := ".#rescue\ngzip:1\ngzip:10\ngzip:11\ngzip:12\n--accept-flake-config\tuse the settings in the flake's nixConfig\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("zsh", func(t *testing.T) {
		// What a person types, and then sees.
		got := run(t, "zsh", "-f", "-c", `zmodload zsh/zpty
zpty shell zsh -f -i
say() { zpty -w -n shell "$1"; sleep 0.2; }
await() { local all= part i; for i in {1..600}; do while zpty -r -t shell part; do all+=$part; done; [[ $all == *"$1"* ]] && { print -r -- "saw $1"; return }; sleep 0.05; done; print -r -- "missed $1 in ${(qqqq)all}"; }
say $'PS1=READY; autoload -U compinit; compinit -u -D; source <(livebuild completion zsh); print set-$((40+2))\r'; await set-42
say $'livebuild iso .#res\t'; await '\#rescue' # as zsh quotes it
say $'\x15livebuild iso --compression lz4:h\t'; await lz4:hc
say $'\x15livebuild plan --accept\t'; await --accept-flake-config`)
		if want := "saw set-42\nsaw \\#rescue\nsaw lz4:hc\nsaw --accept-flake-config\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("nushell", func(t *testing.T) {
		if _, err := exec.LookPath("nu"); err != nil {
			need.LeaveOut(t, "nushell", "nu is not on the PATH; testdata/nushell.sh gets it by npm")
		}
		file := filepath.Join(t.TempDir(), "livebuild.nu")
		writeFile(t, file, []byte(livebuild(t, "completion", "nushell").stdout))
		type word struct{ Value, Description string }
		for spans, want := range map[string][]word{
			`[livebuild iso ".#"]`:            {{".#laptop", ""}, {"`.#my host`", ""}, {".#rescue", ""}},
			`[livebuild iso --compression g]`: {{"gzip", "levels 1 to 12, by default 9"}},
			`[livebuild verify ""]`:           nil, // files
			`[other ""]`:                      nil,
		} {
			text := run(t, "nu", "--no-config-file", "-c", fmt.Sprintf("source %s; do $env.config.completions.external.completer %s | to json", file, spans))
			var got []word
			if err := json.Unmarshal([]byte(text), &got); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q (%v)", spans, text, want, err)
			}
		}
		// Another completer stays for other commands.
		got := run(t, "nu", "--no-config-file", "-c", `$env.config.completions.external.completer = {|spans| [former] }; source `+file+`; do $env.config.completions.external.completer [other ""] | to nuon`)
		if strings.TrimSpace(got) != "[former]" {
			t.Errorf("the completer for other commands gives %q", got)
		}
	})
}
