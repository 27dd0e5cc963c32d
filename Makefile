# make        builds bin/livebuild
# make test   sets up what is missing and runs every test, the four boots among them
# make test-long  packs thousands of random trees afresh and from earlier images, boots
#             images with every kind of boot menu, with several systems, and with every kind of
#             damage that a medium check finds,
#             flips bytes that verify must find, and judges what make dist writes
# make quick  runs the tests that need no root, no Nix and no QEMU where those are missing
# make race   runs what works in parallel with the race detector
# make lint   asks gofmt, vet (for other systems, too), staticcheck, deadcode and shellcheck
# make man    writes the manual pages to .work/man
# make bench  measures the packer against mksquashfs, for hours; see docs/benchmarks.md
# make bench-iso  measures how an image is made as a whole, against a derivation like nixpkgs'
# make bench-scale  measures how packing grows, up to ten million files and 200 GB
# make bench-read  measures how the kernel reads small files from an image, and boots from it
# make bench-foreign  measures what packing for another platform costs
# make bench-write  measures how fast sticks are written, against dd
# make vendor-hash  writes the hash of the Go modules to package.nix, after go.mod changed
# make dist   writes what is released: static programs for two platforms, .deb and .rpm
# make nixpkgs  lays out what nixpkgs would take in
# make bench-wire  measures what an update of an image costs over the wire, beside zsync
# make recording  draws the terminal in the README, from real runs
# make demo   builds the demo flake, writes its image and boots it in every way

SHELL := /bin/bash -eu -o pipefail
WORK  := $(CURDIR)/.work
MINI  := $(WORK)/mini

# Nix as root without a daemon, build users or a network.
define NIX_CONFIG
experimental-features =
substituters =
build-users-group =
endef
export NIX_CONFIG

.PHONY: all build man setup mini guest systemd binfmt nushell test quick race lint test-long bench bench-iso bench-scale bench-read bench-foreign bench-write bench-wire demo recording vendor-hash nixpkgs dist dist-check flake-check fuzz clean

all: build

build:
	go build -o bin/livebuild ./cmd/livebuild

# For packages: 'livebuild man FOLDER' writes them anywhere.
man: build
	bin/livebuild man $(WORK)/man

# The packages that tests and demo need, from the distribution.
setup:
	testdata/setup.sh build test

# The test flake, assembled from Debian's kernel, busybox and boot loaders.
mini: setup
	testdata/mini/make-flake.sh $(MINI) $(WORK)/cache amd64 arm64

# The system of the virtual machine that has devices which this machine may lack.
guest: mini
	testdata/guest/make-guest.sh $(WORK)/guest $(WORK)/cache

# Debian 13 as a system with systemd in both stages, to judge units by that livebuild adds.
systemd: mini
	testdata/systemd/make-tree.sh $(WORK)/systemd $(WORK)/cache/trixie $(WORK)/cache

# The emulation that builds for aarch64 take. Where it cannot be had, tests of such images
# are skipped, which is said at the end again.
binfmt: setup
	testdata/binfmt.sh || true

# A shell that commands are completed in, which Debian lacks. Without it a test is left out.
nushell:
	testdata/nushell.sh $(WORK)/nushell || true

# What linting takes, at these versions; Go fetches and builds it.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEADCODE    := golang.org/x/tools/cmd/deadcode@v0.52.0

# Packages that other systems than Linux build: public ones, and those that read boot menus.
PORTABLE := ./pkg/... ./internal/loader ./internal/nbd ./internal/overlay

# Code is dead if neither programs nor tests reach it; what pkg/ exports is for others.
lint:
	@test -z "$$(gofmt -l cmd internal pkg)" || { gofmt -d cmd internal pkg; exit 1; }
	go vet ./...
	for os in darwin freebsd windows; do CGO_ENABLED=0 GOOS=$$os go vet $(PORTABLE); done
	go run $(STATICCHECK) -checks all ./...
	@dead=$$(go run $(DEADCODE) -test -filter 'livebuild/.*(cmd|internal)/' ./...); \
	    test -z "$$dead" || { printf '%s\n' "$$dead"; exit 1; }
	cd cmd/dist && go vet ./...
	@command -v shellcheck >/dev/null || testdata/setup.sh lint
	testdata/lint-shell.sh

# What the tests of the program need, and that whatever they miss is an error.
TEST := PATH="$(WORK)/nushell/bin:$$PATH" LIVEBUILD_MINI=$(MINI) LIVEBUILD_GUEST=$(WORK)/guest LIVEBUILD_SYSTEMD=$(WORK)/systemd LIVEBUILD_TEST_ALL=1

# Two boots at a time, whatever the number of processors.
test: setup mini guest systemd binfmt nushell lint race
	CGO_ENABLED=0 go test -count=1 ./pkg/squashfs/codec
	$(TEST) go test -count=1 -timeout 80m -parallel 2 ./...
	cd cmd/dist && go test -count=1 ./...
	@testdata/binfmt.sh --check || true

# Everything but virtual machines; of the program, what packs, reuses and is interrupted.
race: setup mini systemd
	$(TEST) go test -race -short -count=1 -timeout 30m ./pkg/... ./internal/...
	$(TEST) go test -race -short -count=1 -timeout 30m -run '^Test(Reuse|SameBytes|Interrupt|WriteSeveral|ISOWriteSmall)$$' ./cmd/livebuild

# What is left out for want of something is counted.
quick:
	@mkdir -p $(WORK) && rm -f $(WORK)/left-out
	LIVEBUILD_TEST_LEFT_OUT=$(WORK)/left-out go test -count=1 ./...
	@[ ! -e $(WORK)/left-out ] || sort $(WORK)/left-out

# SEED is that of the first tree; of a failure the test's name is the seed.
CASES := 5000
SEED  := 1
test-long: mini systemd
	go test -count=1 -timeout 4h -run TestEarlierAtRandom ./pkg/squashfs -cases $(CASES) -seed $(SEED)
	LIVEBUILD_MINI=$(MINI) go test -count=1 -timeout 1h -parallel 2 -run TestMenuBehaviour ./cmd/livebuild -menus
	$(TEST) go test -count=1 -timeout 2h -parallel 2 -run 'TestMediaCheck|TestStampBoot|TestInstall$$|TestPersistBoot|TestPersistLUKS|TestPersistStamped|TestPersistMenu|TestPersistSystemd|TestNetbootBoots|TestMemorySystemd|TestLoopbackBoot' ./cmd/livebuild -checks
	$(TEST) go test -count=1 -timeout 1h -run '^TestSecureBoot(AArch64)?$$' ./cmd/livebuild -chains
	LIVEBUILD_MINI=$(MINI) go test -count=1 -timeout 1h -parallel 2 -run TestBootSeveral ./cmd/livebuild -systems
	$(TEST) LIVEBUILD_FLIPS=300 go test -count=1 -timeout 4h -run TestVerifyFlips ./cmd/livebuild
	$(MAKE) dist-check
	@[ -z "$$LIVEBUILD_NIXPKGS" ] || $(MAKE) flake-check

# ROWS="lz4 zstd:3 reuse:xz uncached:lz4 workers:xz verify:zstd:3" measures some rows only, RUNS says
# how often. Images are read back by unpacking them twice at once, 1.6 GB each, to SCRATCH: in memory,
# for speed.
RUNS    := 3
SCRATCH := /dev/shm
bench: setup build
	testdata/bench/corpus.sh $(WORK)/bench
	testdata/bench/mksquashfs.sh $(WORK)/bench
	go build -o $(WORK)/bench/bench ./cmd/bench
	$(WORK)/bench/bench -corpus $(WORK)/bench -livebuild bin/livebuild -scratch $(SCRATCH) -runs $(RUNS) -report docs/benchmarks.md $(ROWS)

# ISO="x86_64:zstd:3" measures some rows only, x86_64:zstd:3@512M with so much memory for the page
# cache and all. Takes 30 GB in $(WORK), and root.
ISO := x86_64:zstd:3 x86_64:zstd:19 x86_64:zstd:3@512M x86_64:zstd:19@512M aarch64:zstd:3 aarch64:zstd:19
bench-iso: mini binfmt build
	testdata/bench/corpus.sh $(WORK)/bench
	testdata/bench/mksquashfs.sh $(WORK)/bench
	go build -o $(WORK)/bench/bench ./cmd/bench
	testdata/bench/iso.sh bin/livebuild $(WORK)/bench/bench $(WORK)/bench $(MINI) docs/benchmarks.md $(RUNS) $(ISO)

# SCALE="1000x100000 1x1+20G" packs closures of so many store paths, files and GB only.
bench-scale:
	go run ./cmd/bench scale -report docs/benchmarks.md $(SCALE)

# READ="lz4 zstd:3" measures some rows only. Needs root, and drops the caches of the machine. Boots
# a system from images of both, too.
READ := lz4 zstd:3 zstd:19 xz
bench-read: mini build
	testdata/bench/corpus.sh $(WORK)/bench
	testdata/bench/mksquashfs.sh $(WORK)/bench
	go build -o $(WORK)/bench/bench ./cmd/bench
	$(WORK)/bench/bench read -corpus $(WORK)/bench -livebuild bin/livebuild -flake $(MINI) -report docs/benchmarks.md -runs $(RUNS) $(READ)

# The picture in the README: real runs, of which it leaves out how long they took.
recording: mini build
	go run ./testdata/recording bin/livebuild $(MINI) docs/recording.svg

demo: mini build
	testdata/demo.sh bin/livebuild $(MINI)

vendor-hash:
	@testdata/flake/vendor-hash.sh

# What to send to nixpkgs of the commit that is checked out.
nixpkgs:
	@testdata/flake/nixpkgs.sh $(WORK)/nixpkgs

# What is released: static programs, .deb and .rpm, and their sums.
dist:
	testdata/setup.sh build dist
	cmd/dist/dist.sh $(CURDIR)/dist $(WORK)/cache/dist

# Whether it is the same again, and works. Takes some minutes of compiling.
dist-check: dist
	cmd/dist/check.sh $(CURDIR)/dist $(WORK)/dist $(WORK)/cache/dist

# Has Nix build the flake's package in a fresh Debian, from a tree of nixpkgs.
flake-check:
	@[ -d "$${LIVEBUILD_NIXPKGS:?names no tree of nixpkgs}" ]
	testdata/flake/chroot.sh "$$LIVEBUILD_NIXPKGS" "$$(go env GOROOT)" $(WORK)/flake-check check

bench-foreign: mini build
	testdata/bench-foreign.sh bin/livebuild $(MINI) $(WORK)/cache/foreign $(RUNS)

bench-write: mini build
	BENCH_FOLDER=$(WORK) testdata/bench-write.sh bin/livebuild $(MINI)

# WIRE="none zstd:19" says how the images are compressed.
WIRE := none zstd:3
bench-wire: build
	testdata/setup.sh build wire
	testdata/bench/corpus.sh $(WORK)/bench
	testdata/bench/mksquashfs.sh $(WORK)/bench
	go build -o $(WORK)/bench/bench ./cmd/bench
	$(WORK)/bench/bench -corpus $(WORK)/bench -runs 0 -report $(WORK)/bench/report.md # lists the closures
	testdata/bench-wire.sh bin/livebuild $(WORK)/bench/bench $(WORK)/bench $(WORK)/wire docs/benchmarks.md $(WIRE)

fuzz:
	testdata/fuzz.sh 30s

clean:
	rm -rf bin dist $(WORK)
