package guide

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/console"
	"github.com/livebuild/livebuild/internal/manual"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// topic is something to read about that spans verbs.
type topic struct {
	name, short string
	blocks      func() []manual.Block
}

var topics = []topic{
	{"exit-status", "What exit statuses mean", exitStatus},
	{"environment", "Variables of the environment that matter", environment},
	{"formats", "Compressions, images, and output for programs", formats},
}

// textWidth is that of running text in columns, however wide a screen is.
const textWidth = 88

// Topics are commands that 'livebuild help' shows the text of.
func Topics(a *face.App) (list []*cobra.Command) {
	for _, t := range topics {
		cmd := &cobra.Command{
			Use:         t.name,
			Short:       t.short,
			Annotations: map[string]string{topicKey: "yes"},
		}
		cmd.SetHelpFunc(func(*cobra.Command, []string) {
			columns := min(console.Columns(a.Out, textWidth), textWidth)
			_, _ = io.WriteString(a.Out, manual.Text(t.blocks(), columns))
		})
		list = append(list, cmd)
	}
	return list
}

func exitStatus() []manual.Block {
	return []manual.Block{
		manual.Paragraph("Every verb ends with one of these:"),
		manual.List{
			{Term: "0", Text: "done"},
			{Term: "1", Text: "failed: an error was printed, with advice. Of several disks, or checks, at least one failed"},
			{Term: "2", Text: "wrong usage: nothing was begun"},
			{Term: "3", Text: "an image was tried and did not come up: 'livebuild test', 'livebuild iso --test'"},
			{Term: "4", Text: "an image was checked and is damaged: 'livebuild verify'"},
			{Term: "5", Text: "images differ: 'livebuild diff --exit-code'"},
			{Term: "130", Text: "interrupted: by ctrl-c, SIGTERM or SIGHUP. Nothing unfinished has the name of an image"},
		},
		manual.Paragraph("A second interrupt kills the program, and its status is then that of the signal as the shell reports it. " +
			"Where a verb could not do what it was asked to find out, as when 'livebuild test' has no QEMU, the status is 1 and neither 3 nor 4."),
	}
}

func environment() []manual.Block {
	return []manual.Block{
		manual.Paragraph("livebuild reads these variables:"),
		manual.List{
			{Term: "LIVEBUILD_PROGRESS", Text: "how progress is shown if --progress does not say: auto, plain, json or quiet"},
			{Term: "GITHUB_ACTIONS", Text: "with true, errors and warnings are annotations in the log of GitHub Actions, and what steps say is folded, unless --progress says how"},
			{Term: "SOURCE_DATE_EPOCH", Text: "the time, in seconds since 1970, of everything in an image, and in the manual pages. Without it images have one that is always the same"},
			{Term: "PATH", Text: "where nix, nix-store, git, qemu-system-*, sudo and doas are looked for"},
			{Term: "TERM", Text: "with dumb, nothing moves on the screen"},
			{Term: "GITHUB_ACTIONS", Text: "if it is true, warnings and errors are annotations of GitHub's"},
			{Term: "NETRC", Text: "the file with the passwords of servers that images are fetched from; else .netrc in the home folder"},
			{Term: "NO_COLOR", Text: "if it is set, lists have no colours; nothing else has any"},
			{Term: "CI", Text: "if it is set, and not to false or 0, nothing is asked in lists, even on a terminal"},
			{Term: "DISPLAY, WAYLAND_DISPLAY", Text: "if one is set, 'livebuild run' opens a window"},
			{Term: "XDG_CACHE_HOME, HOME", Text: "the folder livebuild in it has what can be made again; else .cache in the home folder. What was built is linked there while it is packed, and temporary images are made there"},
			{Term: "HTTPS_PROXY, HTTP_PROXY, NO_PROXY", Text: "the proxies by which images are downloaded, in small letters, too"},
			{Term: "NETRC", Text: "the file with passwords for web servers, netrc(5), instead of .netrc in the home folder"},
			{Term: "SSL_CERT_FILE, SSL_CERT_DIR", Text: "the authorities by which web servers are known"},
			{Term: "TMPDIR", Text: "where small temporary files go"},
			{Term: "NIX_SSHOPTS", Text: "options of ssh, to which 'livebuild doctor' adds that nobody is asked for a password"},
			{Term: "NIX_STORE_DIR, NIX_STATE_DIR, XDG_DATA_HOME", Text: "where Nix has its store and its state, as Nix itself reads them"},
		},
		manual.Paragraph("Nix, git and ssh get all of the environment. So what they read counts as ever: NIX_CONFIG, NIX_REMOTE, NIX_PATH, " +
			"NIX_SSL_CERT_FILE, http_proxy and the like; NIXPKGS_ALLOW_UNFREE needs --impure. livebuild adds LANGUAGE=C, and for versions of Nix before 2.24 GC_DONT_GC=1."),
	}
}

func formats() []manual.Block {
	compressions := manual.List{}
	for _, r := range codec.Ranges() {
		text := "no levels"
		switch {
		case r.Name == codec.None:
			text = "stored as it is: the fastest, and what another compression packs best"
		case r.Max > 0:
			text = fmt.Sprintf("levels %d to %d, by default %d", r.Min, r.Max, r.Default)
		}
		switch r.Name {
		case codec.LZ4:
			text += "; from 2 on, high compression, of which lz4:hc is the highest: less than mksquashfs' -Xhc makes, in a fraction of the time"
		case codec.XZ:
			text += "; the smallest, and the slowest to read; needs a livebuild that was built with cgo"
		case codec.Zstd:
			text += "; a level makes less than mksquashfs' level of that number, in less time"
		}
		compressions = append(compressions, manual.Item{Term: r.Name, Text: text})
	}
	return []manual.Block{
		manual.Heading("Compressions of the store"),
		manual.Paragraph("--compression takes a name, or a name and a level as in zstd:19:"),
		compressions,
		manual.Paragraph("It also takes the words of mksquashfs, which isoImage.squashfsCompression has: \"zstd -Xcompression-level 19\", " +
			"\"xz -Xdict-size 100% -Xbcj x86\", and -b with a block size from 4K to 1M. 'livebuild bench' measures what they make of a store."),
		manual.Paragraph("\"xz -Xbcj native\" has the filters for the machine code of the systems on the medium, whatever their platforms, " +
			"but for those that a kernel of them is too old for: arm64 and riscv are in Linux since 6.12."),
		manual.Heading("Images"),
		manual.List{
			{Term: ".iso", Text: "what 'livebuild iso' writes: a disc, and copied byte by byte a stick"},
			{Term: ".iso.zst", Text: "what it writes with isoImage.compressImage"},
			{Term: ".iso.part00", Text: "the first of the parts that it writes with --split, which stands for all; .iso.00 and .iso.001, of split and 7-Zip, are read, too"},
			{Term: "gzip, zstd, xz", Text: "compressed as a whole, in which every verb reads images, whatever their names"},
			{Term: "disk images", Text: "with a GPT, an MBR or a bare file system, which 'livebuild write' writes, too"},
		},
		manual.Heading("Output for programs"),
		manual.List{
			{Term: "--json", Text: "one object or array on standard output; of 'livebuild write' a line for each step"},
			{Term: "--progress json", Text: "a line of JSON for each event on standard error"},
			{Term: "--junit", Argument: "FILE", Text: "boots as JUnit XML"},
			{Term: "--summary", Argument: "FILE", Text: "an image, what differs from the one before, and its boots in Markdown, added to a file"},
		},
	}
}
