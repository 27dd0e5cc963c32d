package main

// A room is a package of the house: what it is for, and those of ours that it may import.
type room struct {
	purpose string
	imports []string
}

// house is all of them. docs/internals.md has the same sentences, and draws it. What its rules
// are is in rules_test.go.
var house = map[string]room{
	"cmd/livebuild": {
		"process edge: signals, exit status",
		[]string{"internal/cli"},
	},
	"internal/cli": {
		"the verbs put together; exit statuses; nothing else but its rooms reads flags or the environment",
		[]string{
			"internal/advice", "internal/build", "internal/cli/adapt", "internal/cli/ask", "internal/cli/begin", "internal/cli/create", "internal/cli/disk",
			"internal/cli/examine", "internal/cli/face", "internal/cli/guide", "internal/cli/look", "internal/cli/machine", "internal/cli/net",
			"internal/cli/wire", "internal/console", "internal/device", "internal/human", "internal/nix", "internal/report", "internal/transfer",
			"internal/trial", "pkg/squashfs/codec",
		},
	},
	"internal/cli/guide": {
		"what tells how to use the command line: help topics, manual pages",
		[]string{"internal/cli/face", "internal/console", "internal/image", "internal/manual", "internal/nix", "pkg/squashfs/codec"},
	},
	"internal/cli/ask": {
		"what can be meant where a verb needs something that was not named: pick lists, completion",
		[]string{
			"internal/cli/face", "internal/console", "internal/contents", "internal/device", "internal/human", "internal/installable",
			"internal/medium", "internal/nix", "internal/nixos", "internal/picklist", "internal/report", "pkg/squashfs/codec",
		},
	},
	"internal/picklist": {
		"lets a person pick one of several things, in a list or by a number",
		[]string{"internal/human"},
	},
	"internal/cli/examine": {
		"the verb that finds out what this machine lacks",
		[]string{
			"internal/build", "internal/cli/face", "internal/cli/request", "internal/console", "internal/device", "internal/doctor", "internal/human",
			"internal/image", "internal/installable", "internal/report",
		},
	},
	"internal/doctor": {
		"finds out whether a machine can do what the verbs do, by asking what they ask",
		[]string{
			"internal/build", "internal/device", "internal/human", "internal/image", "internal/installable", "internal/nix",
			"internal/progress", "internal/qemu",
		},
	},
	"internal/manual": {
		"documentation as text for a screen, and as pages for man",
		nil,
	},
	"internal/cli/begin": {
		"the verb that writes a flake to begin with",
		[]string{"internal/cli/face", "internal/human", "internal/report", "internal/template"},
	},
	"internal/template": {
		"flakes to begin with, which livebuild's own flake offers as templates, and git around them",
		nil,
	},
	"internal/cli/create": {
		"the verbs that make an image of a configuration, or say what it would be",
		[]string{
			"internal/advice", "internal/build", "internal/cli/adapt", "internal/cli/disk", "internal/cli/face", "internal/cli/look",
			"internal/cli/machine", "internal/cli/request", "internal/cli/wire", "internal/device", "internal/human", "internal/image", "internal/installable",
			"internal/manifest", "internal/medium", "internal/nix", "internal/nixos", "internal/progress", "internal/report", "internal/sbom",
			"internal/signature", "internal/stamp", "internal/store", "internal/trial", "internal/verify", "internal/web", "pkg/squashfs/codec", "internal/comparison",
		},
	},
	"internal/cli/disk": {
		"the verbs that write images to disks, and what else does so",
		[]string{
			"internal/advice", "internal/build", "internal/cli/adapt", "internal/cli/face", "internal/cli/wire", "internal/console",
			"internal/device", "internal/human", "internal/image", "internal/imagefile", "internal/manifest", "internal/medium",
			"internal/nixos", "internal/persistence", "internal/progress", "internal/report", "internal/stamp", "internal/transfer", "internal/web",
		},
	},
	"internal/cli/wire": {
		"the verb that downloads an image, and what the others need to take one from a web server",
		[]string{
			"internal/advice", "internal/cli/face", "internal/image", "internal/imagefile", "internal/progress", "internal/report",
			"internal/signature", "internal/transfer", "internal/web",
		},
	},
	"internal/cli/machine": {
		"the verbs that start an image in virtual machines",
		[]string{
			"internal/advice", "internal/boottest", "internal/build", "internal/cli/face", "internal/cli/request", "internal/efivar", "internal/human",
			"internal/image", "internal/installable", "internal/medium", "internal/nixos", "internal/qemu", "internal/report", "internal/secureboot",
		},
	},
	"internal/cli/request": {
		"how verbs are asked for the image of a configuration, and the build that this begins",
		[]string{
			"internal/build", "internal/cli/face", "internal/image", "internal/installable", "internal/manifest", "internal/medium",
			"internal/nixos", "internal/secureboot", "internal/stamp", "pkg/squashfs/codec",
			"internal/netboot", "internal/nix", "internal/report",
		},
	},
	"internal/cli/net": {
		"the verbs that have machines started without a medium, over the network or by kexec",
		[]string{
			"internal/advice", "internal/build", "internal/cli/adapt", "internal/cli/face", "internal/cli/request", "internal/human", "internal/image",
			"internal/imagefile", "internal/installable", "internal/kexec", "internal/netboot", "internal/nixos", "internal/progress", "internal/report",
			"internal/stamp", "internal/trial", "pkg/zstdfile", "internal/comparison",
		},
	},
	"internal/cli/adapt": {
		"the verb that changes a finished image without building it again, and its flags for those that write disks",
		[]string{
			"internal/advice", "internal/cli/face", "internal/device", "internal/image", "internal/imagefile", "internal/kexec", "internal/manifest",
			"internal/medium", "internal/netboot", "internal/nixos", "internal/progress", "internal/report", "internal/secureboot", "internal/stamp",
		},
	},
	"internal/cli/look": {
		"the verbs that look into an image that is there",
		[]string{
			"internal/advice", "internal/build", "internal/cli/face", "internal/cli/request", "internal/contents", "internal/device",
			"internal/difference", "internal/human", "internal/image", "internal/imagefile", "internal/index", "internal/inspection", "internal/installable",
			"internal/manifest", "internal/medium", "internal/nix", "internal/progress", "internal/report", "internal/secureboot", "internal/signature",
			"internal/stamp", "internal/treemap", "internal/verify", "internal/comparison",
		},
	},
	"internal/cli/face": {
		"what all verbs share: where results go and progress is shown, how an image is opened, errors of usage",
		[]string{
			"internal/advice", "internal/console", "internal/device", "internal/figures", "internal/human", "internal/image",
			"internal/imagefile", "internal/medium", "internal/nix", "internal/progress", "internal/stamp",
			"internal/netboot",
		},
	},
	"internal/report": {
		"what verbs find out and make, as objects for programs and as text for people",
		[]string{
			"internal/boot", "internal/boottest", "internal/build", "internal/contents", "internal/device", "internal/difference",
			"internal/doctor", "internal/human", "internal/image", "internal/imagefile", "internal/inspection", "internal/medium",
			"internal/netboot", "internal/nix", "internal/persistence", "internal/qemu", "internal/secureboot", "internal/stamp",
			"internal/trial", "internal/verify",
		},
	},
	"internal/advice": {
		"what can be done about errors: a row for each type of error",
		[]string{
			"internal/boot", "internal/boottest", "internal/carrier", "internal/contents", "internal/decompressor", "internal/device", "internal/doctor", "internal/efivar",
			"internal/human", "internal/image", "internal/imagefile", "internal/index", "internal/inspection", "internal/installable",
			"internal/kexec", "internal/manifest", "internal/medium", "internal/netboot", "internal/nix", "internal/nixos", "internal/persistence",
			"internal/qemu", "internal/report", "internal/secureboot", "internal/signature", "internal/stamp", "internal/storefs",
			"internal/template", "internal/transfer", "internal/trial", "internal/verify", "internal/web", "pkg/authenticode", "pkg/cpio",
			"pkg/squashfs", "pkg/squashfs/codec", "internal/comparison",
		},
	},
	"internal/build": {
		"a configuration on its way to an image, wherever that goes: evaluate, build, choose what to reuse, pack",
		[]string{
			"internal/decompressor", "internal/evalcache", "internal/image", "internal/installable", "internal/kexec", "internal/manifest", "internal/netboot", "internal/nix", "internal/nixos",
			"internal/progress", "internal/store", "internal/storefs", "pkg/squashfs/codec", "internal/comparison",
		},
	},
	"internal/netboot": {
		"a folder from which machines start over the network: its files, the script for iPXE, the server",
		[]string{"internal/manifest"},
	},
	"internal/kexec": {
		"an archive by which a running Linux starts another system: its files, its script, the tar",
		[]string{"internal/manifest", "pkg/cpio", "pkg/zstdfile"},
	},
	"internal/initrd": {
		"what a boot loader puts into memory, with the store of a system in it: where that lies",
		[]string{"pkg/cpio"},
	},
	"internal/manifest": {
		"the paper of an image: what it was made of, with what, and how; as JSON",
		[]string{"internal/store"},
	},
	"internal/sbom": {
		"bills of materials of an image, as SPDX and CycloneDX",
		[]string{"internal/manifest", "internal/nixos", "internal/store"},
	},
	"internal/signature": {
		"detached signatures of images, as minisign, signify and ssh-keygen make and check them",
		[]string{"internal/progress"},
	},
	"internal/trial": {
		"what compressions make of a store, and which makes an image small enough",
		[]string{"internal/decompressor", "internal/human", "internal/image", "internal/progress", "pkg/squashfs", "pkg/squashfs/codec"},
	},
	"internal/decompressor": {
		"which compressed stores the kernels of a medium read, and the filters for their machine code",
		[]string{"internal/kernel", "internal/nixos", "internal/storefs", "pkg/squashfs/codec"},
	},
	"internal/image": {
		"the Plan of an image, the pipeline that writes it, the output file",
		[]string{
			"internal/boot", "internal/decompressor", "internal/imagefile", "internal/index", "internal/manifest", "internal/medium", "internal/nix", "internal/nixos",
			"internal/progress", "internal/secureboot", "internal/store", "internal/storefs", "pkg/hybridiso", "pkg/squashfs", "pkg/squashfs/codec", "pkg/zstdfile",
			"internal/initrd", "pkg/cpio", "internal/comparison",
		},
	},
	"internal/boot": {
		"menus and boot trees: isolinux, GRUB, the EFI system partition",
		[]string{"internal/medium", "internal/nixos", "internal/secureboot", "internal/storefs", "pkg/fat"},
	},
	"internal/secureboot": {
		"what makes a medium start where Secure Boot is on, and proves that one does: keys, signatures, shims",
		[]string{"internal/medium", "pkg/authenticode"},
	},
	"internal/efivar": {
		"the variables of UEFI firmware for virtual machines, with the keys of Secure Boot",
		nil,
	},
	"internal/evalcache": {
		"what evaluations said, by what they were made of",
		nil,
	},
	"internal/nixos": {
		"what a configuration says: the evaluation function `eval.nix`, the type System",
		[]string{"internal/evalcache", "internal/installable", "internal/nix", "internal/store"},
	},
	"internal/nix": {
		"the Nix command line: evaluate, realise, closure, progress, errors",
		[]string{"internal/binfmt", "internal/builders", "internal/installable", "internal/store", "internal/storefs"},
	},
	"internal/installable": {
		"what a user names: one configuration, of a flake or of a file; reads names, runs nothing",
		nil,
	},
	"internal/store": {
		"formats of the Nix store: registration, closure, archive hash, derivation; runs nothing",
		nil,
	},
	"internal/storefs": {
		"the files of chosen store paths, and of nothing else of the machine",
		nil,
	},
	"internal/builders": {
		"the machines that Nix is told to build on",
		nil,
	},
	"internal/binfmt": {
		"the emulators that the kernel starts for programs of other machines",
		nil,
	},
	"internal/console": {
		"what standard error shows of a run: live lines, plain lines, JSON, or what is wrong alone",
		[]string{"internal/human", "internal/progress"},
	},
	"internal/figures": {
		"checksums as people compare them: digits in large type, and QR codes",
		nil,
	},
	"internal/human": {
		"numbers, sizes, times and command lines as people read them",
		nil,
	},
	"internal/progress": {
		"how far a run is: one kind of event, and one place that takes it",
		nil,
	},
	"internal/kernel": {
		"how a kernel was built, read from its image",
		nil,
	},
	"internal/device": {
		"disks: list, choose, refuse, have them opened as root, write an image to several at once, read it back",
		[]string{"internal/descriptor", "internal/magic"},
	},
	"internal/magic": {
		"what a disk or a partition holds, by the magic numbers of formats",
		nil,
	},
	"internal/persistence": {
		"what a stick keeps behind its image: where that is, and the partition tables of both together",
		[]string{"internal/layer", "pkg/gpt"},
	},
	"internal/descriptor": {
		"gives open files to other processes",
		nil,
	},
	"internal/imagefile": {
		"an image in a file: compressed or not, whole or not, with its checksum",
		[]string{"internal/initrd", "internal/progress", "pkg/cpio", "pkg/gpt"},
	},
	"internal/medium": {
		"a finished image, whoever made it, wherever it lies: its volume, file trees, store and boot modes",
		[]string{
			"internal/imagefile", "internal/initrd", "internal/layer", "internal/manifest", "internal/persistence", "internal/progress", "internal/store",
			"pkg/fat", "pkg/gpt", "pkg/hybridiso", "pkg/squashfs",
			"internal/kexec", "internal/netboot",
		},
	},
	"internal/transfer": {
		"an image from a web server: what of it is here already, and the rest; goes on where it was interrupted",
		[]string{"internal/index", "internal/progress", "internal/web"},
	},
	"internal/web": {
		"a file of a web server, read in parts as if it were on a disk",
		nil,
	},
	"internal/comparison": {
		"an image that is made a second time, held against the first",
		[]string{"internal/index"},
	},
	"internal/index": {
		"the list of pieces that an image is made of, with their sums: written into it, read back, or made of one that has none",
		[]string{"internal/medium", "internal/progress", "pkg/hybridiso", "pkg/squashfs"},
	},
	"internal/contents": {
		"the files of a medium under one kind of path: those of its volume, its EFI system partition and the images in it; taken out safely",
		[]string{"internal/medium", "internal/progress", "pkg/fat", "pkg/hybridiso", "pkg/squashfs"},
	},
	"internal/stamp": {
		"what is put onto a finished image without building it again: the area, the archive in it, the items and how a system applies them",
		[]string{"internal/layer", "internal/medium", "pkg/cpio"},
	},
	"internal/verify": {
		"proves a medium: store paths by their hashes, tables and file systems by their formats, menus by their files",
		[]string{
			"internal/index", "internal/kexec", "internal/loader", "internal/manifest", "internal/medium", "internal/netboot", "internal/persistence", "internal/progress",
			"internal/secureboot", "internal/stamp", "internal/store", "pkg/authenticode", "pkg/fat", "pkg/gpt", "pkg/hybridiso",
			"pkg/squashfs",
		},
	},
	"internal/inspection": {
		"what an image tells of itself: how it starts, its menus, kernels and file systems, and what takes room in its store",
		[]string{
			"internal/contents", "internal/kernel", "internal/kexec", "internal/loader", "internal/medium", "internal/netboot", "internal/progress",
			"internal/secureboot", "internal/store", "pkg/squashfs", "pkg/squashfs/codec",
		},
	},
	"internal/difference": {
		"what differs between two images, or those that configurations would become: packages by version, how they start",
		[]string{"internal/contents", "internal/human", "internal/inspection", "internal/medium", "internal/verify"},
	},
	"internal/treemap": {
		"draws what takes the room of a medium, as a page and as a drawing",
		[]string{"internal/human", "internal/inspection"},
	},
	"internal/boottest": {
		"image × boot modes → verdicts",
		[]string{
			"internal/carrier", "internal/kexec", "internal/loader", "internal/manifest", "internal/medium", "internal/netboot", "internal/overlay",
			"internal/progress", "internal/qemu", "pkg/cpio",
		},
	},
	"internal/carrier": {
		"disks that have an image as a file, and a GRUB of this machine that starts it from there",
		[]string{"internal/layer", "pkg/fat", "pkg/gpt"},
	},
	"internal/loader": {
		"the boot menus of SYSLINUX and GRUB: what starts by itself, and how it would with a serial console",
		nil,
	},
	"internal/layer": {
		"reads something with other bytes in some places, where it is left as it is",
		nil,
	},
	"internal/overlay": {
		"a medium with some of its files changed, of which not a byte is written",
		[]string{"internal/layer", "internal/medium"},
	},
	"internal/qemu": {
		"boots a medium in a virtual machine, and judges its console",
		[]string{"internal/nbd"},
	},
	"internal/nbd": {
		"serves a medium to a virtual machine",
		nil,
	},
	"cmd/bench": {
		"measures the packer against mksquashfs, and whole images against derivations, for `docs/benchmarks.md`",
		[]string{"internal/boot", "internal/chart", "internal/gauge", "internal/image", "internal/medium", "internal/nix", "internal/readback", "internal/store", "internal/synthetic", "pkg/hybridiso", "pkg/squashfs", "pkg/squashfs/codec"},
	},
	"internal/readback": {
		"has images read by programs of others, and finds what is different from their source",
		nil,
	},
	"internal/gauge": {
		"what the kernel counts of a run that is measured, and limits it to",
		nil,
	},
	"internal/chart": {
		"draws diagrams, for `docs/benchmarks.md`",
		nil,
	},
	"internal/synthetic": {
		"makes closures up, of any size, to be packed, and updates of closures",
		[]string{"internal/store", "pkg/squashfs"},
	},
	"cmd/dist": {
		"packs a build for Debian and Fedora; a module of its own",
		nil,
	},
	"testdata/recording": {
		"draws a terminal in which livebuild runs, for the README",
		nil,
	},
	"internal/judge": {
		"for tests alone: runs the programs of others that judge what is written",
		nil,
	},
	"internal/testimage": {
		"for tests alone: small images with an index, made without Nix",
		[]string{"internal/index", "internal/medium", "pkg/hybridiso", "pkg/squashfs"},
	},
	"internal/testdisk": {
		"for tests alone: loop devices, and a disk that fails, lies or stalls on demand",
		[]string{"internal/judge"},
	},
	"internal/testterminal": {
		"for tests alone: pseudoterminals",
		nil,
	},
	"pkg/squashfs": {
		"SquashFS 4.0 writer and reader",
		[]string{
			"pkg/internal/fsfile", "pkg/squashfs/codec", "pkg/squashfs/internal/blockcache", "pkg/squashfs/internal/disk",
			"pkg/squashfs/internal/hostdir", "pkg/squashfs/internal/pack", "pkg/squashfs/internal/tree",
		},
	},
	"pkg/squashfs/codec": {
		"the compressors of SquashFS, by C libraries or in Go",
		[]string{"pkg/squashfs/internal/branch"},
	},
	"pkg/squashfs/internal/hostdir": {
		"opens what lies below a folder, and nothing that a link leads to",
		nil,
	},
	"pkg/squashfs/internal/pack": {
		"brings the contents of files into an image: once, in parallel, always in the same place",
		[]string{"pkg/squashfs/codec", "pkg/squashfs/internal/copyrange", "pkg/squashfs/internal/disk", "pkg/squashfs/internal/hostdir", "pkg/squashfs/internal/likeness"},
	},
	"pkg/squashfs/internal/disk": {
		"SquashFS' structures and tables, for writer and reader",
		[]string{"pkg/squashfs/codec"},
	},
	"pkg/squashfs/internal/tree": {
		"what is known of the files of an image before it is written, in few bytes for each",
		[]string{"pkg/squashfs/internal/disk"},
	},
	"pkg/squashfs/internal/blockcache": {
		"the decoded blocks of an image that were used last, each decoded once for all who want it",
		nil,
	},
	"pkg/squashfs/internal/likeness": {
		"which small files to put beside each other",
		nil,
	},
	"pkg/squashfs/internal/copyrange": {
		"copies between files by the kernel",
		nil,
	},
	"pkg/squashfs/internal/branch": {
		"what a filter for branches would do for a compressor",
		nil,
	},
	"pkg/hybridiso": {
		"ISO 9660 with Rock Ridge, Joliet, El Torito, and partition tables by `pkg/gpt`; writer and reader",
		[]string{"pkg/gpt", "pkg/internal/fsfile"},
	},
	"pkg/authenticode": {
		"the signatures of programs for UEFI firmware, in PE/COFF: reads, checks, makes them",
		nil,
	},
	"pkg/gpt": {
		"MBR and GPT, both copies; writer and reader; what of an MBR is a program",
		nil,
	},
	"pkg/fat": {
		"FAT12 and FAT16 writer, reader of FAT32, too",
		[]string{"pkg/internal/fsfile"},
	},
	"pkg/internal/fsfile": {
		"the open files of a read-only file system, for the readers of images",
		nil,
	},
	"pkg/cpio": {
		"the archives of an initrd: writer and reader, and one around a file that lies where others want it",
		nil,
	},
	"pkg/zstdfile": {
		"zstd of a file that is written at offsets, some parts last",
		nil,
	},
}
