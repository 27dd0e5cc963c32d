package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWriteImageRefuses gives 'livebuild write' files that are no whole images,
// or whose checksums are not clear.
func TestWriteImageRefuses(t *testing.T) {
	mini := miniISO(t)
	image, content := imageFile(t, 3*mib)
	s := newStick(t, 256*mib)
	folder := t.TempDir()
	file := func(name, command string) string {
		path := filepath.Join(folder, name)
		judge(t, "dash", "sh", "-euc", `mini=$1 image=$2 out=$3; cd "$4"; `+command, "sh", mini.File, image, path, t.TempDir())
		return path
	}
	beside := func(name, sums, text string) string {
		place := t.TempDir()
		path := filepath.Join(place, name)
		writeFile(t, path, content)
		writeFile(t, filepath.Join(place, sums), []byte(text))
		return path
	}
	whole := strconv.FormatInt(mini.Size, 10)
	half := fmt.Sprintf("it has %d bytes of the %s", mini.Size/2, whole)
	for name, test := range map[string]struct {
		file  string
		texts []string
	}{
		"half a download":      {file("half.iso", fmt.Sprintf(`head -c %d "$mini" > "$out"`, mini.Size/2)), []string{half, "download or copy the file again"}},
		"half, compressed":     {file("half.iso.zst", fmt.Sprintf(`head -c %d "$mini" | zstd -qc > "$out"`, mini.Size/2)), []string{half}},
		"a byte short":         {file("short.iso", `head -c -1 "$mini" > "$out"`), []string{strconv.FormatInt(mini.Size-1, 10), whole, "volume descriptor"}},
		"a byte short, xz":     {file("short.iso.xz", `head -c -1 "$mini" | xz -0c > "$out"`), []string{strconv.FormatInt(mini.Size-1, 10), whole}},
		"its end is zeros":     {file("zeros.iso", `head -c -512 "$mini" > "$out"; truncate -s +512 "$out"`), []string{"incomplete", whole, "backup GPT"}},
		"zip":                  {file("a.iso.zip", `zip -q - "$image" > "$out"`), []string{"is a zip archive", "take the image out of it"}},
		"bzip2":                {file("a.iso.bz2", `bzip2 -1c "$image" > "$out"`), []string{"is bzip2 data", "expand it first"}},
		"lz4":                  {file("a.iso.lz4", `lz4 -qc "$image" > "$out"`), []string{"is lz4 data", "expand it first"}},
		"tar":                  {file("a.tar", `cp "$image" a.iso; tar cf "$out" a.iso`), []string{"is a tar archive", "take the image out of it"}},
		"tar.gz":               {file("a.tar.gz", `cp "$image" a.iso; tar czf "$out" a.iso`), []string{"is a tar archive, compressed by gzip"}},
		"web page":             {file("x.iso", `printf '<html><head><title>404</title></head><body>Not found</body></html>' > "$out"`), []string{"is a web page", "download the image again"}},
		"qcow2":                {file("a.qcow2", `printf 'QFI\373\000\000\000\003' > "$out"; truncate -s 1M "$out"`), []string{"is a QCOW image", "qemu-img convert -O raw"}},
		"VMDK":                 {file("a.vmdk", `printf 'KDMV\001\000\000\000' > "$out"; truncate -s 1M "$out"`), []string{"is a VMDK image", "qemu-img convert -O raw"}},
		"DMG":                  {file("a.dmg", `head -c 1000 /dev/urandom > "$out"; truncate -s 99488 "$out"; printf koly >> "$out"; truncate -s 100000 "$out"`), []string{"Apple disk image", "hdiutil", "dmg2img"}},
		"7z":                   {file("a.7z", `printf '7z\274\257\047\034' > "$out"; truncate -s 1M "$out"`), []string{"is a 7z archive"}},
		"Android sparse":       {file("a.simg", `printf '\072\377\046\355' > "$out"; truncate -s 1M "$out"`), []string{"Android sparse", "simg2img"}},
		"squashfs":             {file("nix-store.squashfs", `mkdir a; mksquashfs a "$out" -quiet -no-progress`), []string{"is a squashfs file system", "part of a system"}},
		"ELF":                  {file("livebuild", `cp /bin/sh "$out"`), []string{"is a program (ELF)"}},
		"noise":                {file("noise", `head -c 2M /dev/urandom > "$out"`), []string{"no known disk image", "--force"}},
		"zeros":                {file("zeros", `truncate -s 2M "$out"`), []string{"begins with 1048576 zeros"}},
		"xz of much memory":    {file("a.iso.xz", `xz -c --lzma2=preset=1,dict=192MiB "$image" > "$out"`), []string{"too large a dictionary", "xz --decompress --keep"}},
		"gzip and more":        {file("a.iso.gz", `{ gzip -1c "$image"; echo more; } > "$out"`), []string{"damaged gzip data", "neither gzip nor zeros"}},
		"sums, byte order":     {beside("x.iso", "SHA256SUMS", "\ufeff"+strings.Repeat("0", 64)+"  x.iso\n"), []string{"has the SHA-256", sha256Of(content), "SHA256SUMS says"}},
		"sums, tab":            {beside("x.iso", "SHA256SUMS", strings.Repeat("0", 64)+"\tx.iso\n"), []string{"has the SHA-256", "SHA256SUMS says"}},
		"sums of openssl":      {beside("x.iso", "SHA256SUMS", "SHA256(x.iso)= "+strings.Repeat("0", 64)+"\n"), []string{"has the SHA-256", "SHA256SUMS says"}},
		"CHECKSUM":             {beside("x.iso", "CHECKSUM", "SHA256 (x.iso) = "+strings.Repeat("0", 64)+"\n"), []string{"has the SHA-256", "CHECKSUM says"}},
		"SHA256SUMS.txt":       {beside("x.iso", "SHA256SUMS.txt", strings.Repeat("0", 64)+"  x.iso\n"), []string{"SHA256SUMS.txt says"}},
		"sha256sums.txt":       {beside("x.iso", "sha256sums.txt", strings.Repeat("0", 64)+"  x.iso\n"), []string{"sha256sums.txt says"}},
		"SHA512SUMS":           {beside("x.iso", "SHA512SUMS", strings.Repeat("0", 128)+"  x.iso\n"), []string{"has the SHA-512", "SHA512SUMS says"}},
		"IMAGE.sha512":         {beside("x.iso", "x.iso.sha512", strings.Repeat("0", 128)+"\n"), []string{"has the SHA-512", "x.iso.sha512 says"}},
		"sums, not understood": {beside("x.iso", "SHA256SUMS", "md5:00112233445566778899aabbccddeeff x.iso\n"), []string{"SHA256SUMS names x.iso, but no SHA-256", "--sha256", "--force"}},
		"sums, no text":        {beside("x.iso", "SHA256SUMS", "\x00\x01\x02\xff"), []string{"SHA256SUMS is no text", "--sha256"}},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, livebuild(t, "write", test.file, s.name, "--yes"), 1, test.texts...)
		})
	}
	s.checkUntouched(t)
}

// TestWriteImages writes images of every kind, and what --force lets pass.
func TestWriteImages(t *testing.T) {
	image, content := imageFile(t, 3*mib)
	folder := t.TempDir()
	file := func(name, command string) string {
		path := filepath.Join(folder, name)
		judge(t, "dash", "sh", "-euc", `image=$1 out=$2; cd "$3"; mkdir tree; echo text > tree/text; `+command, "sh", image, path, t.TempDir())
		return path
	}
	iso := file("disc.iso", `genisoimage -quiet -R -o "$out" tree`)
	page := file("x.iso", `printf '<html></html>\n' > "$out"`)
	unclear := file("unclear.iso", `cp "$image" "$out"`)
	writeFile(t, filepath.Join(folder, "CHECKSUM"), []byte("MD5 (unclear.iso) = d41d8cd98f00b204e9800998ecf8427e\n"))
	for name, test := range map[string]struct {
		file    string
		more    []string
		content []byte
		warning string
	}{
		"zstd behind frames":  {file("a.zst", `for n in 121 137; do printf "\\$n"'*\115\030\004\000\000\000abcd'; done > "$out"; zstd -qc "$image" >> "$out"`), nil, content, ""},
		"gzip before zeros":   {file("a.gz", `{ gzip -1c "$image"; head -c 1000 /dev/zero; } > "$out"`), nil, content, ""},
		"disc":                {iso, nil, readFile(t, iso), "no stick starts with it"},
		"bare ext4":           {file("a.ext4", `mkfs.ext4 -q "$out" 2M`), nil, readFile(t, filepath.Join(folder, "a.ext4")), "a bare file system (ext4)"},
		"bare FAT":            {file("a.fat", `mkfs.vfat -C "$out" 1440`), nil, readFile(t, filepath.Join(folder, "a.fat")), ""},
		"forced":              {page, []string{"--force"}, readFile(t, page), ""},
		"forced, no checksum": {unclear, []string{"--force"}, content, "CHECKSUM names unclear.iso, but no SHA-256 or SHA-512 of it; it is not checked"},
		"sum given":           {unclear, []string{"--sha256", sha256Of(content)}, content, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStick(t, 8*mib)
			o := livebuild(t, append([]string{"write", test.file, s.name, "--yes"}, test.more...)...)
			if o.status != 0 || !strings.Contains(o.stderr, "verified") || !strings.Contains(o.stderr, test.warning) || test.warning == "" && strings.Contains(o.stderr, "warning") {
				t.Errorf("status %d, want 0 and the warning %q\n%s", o.status, test.warning, o.stderr)
			}
			if before, after, ok := strings.Cut(o.stderr, test.warning); test.warning != "" && ok && (strings.Contains(before, "writing "+s.path) || !strings.Contains(after, "writing "+s.path)) {
				t.Errorf("the warning does not come before the writing:\n%s", o.stderr)
			}
			s.check(t, test.content)
		})
	}
}

// TestISOWriteModes packs configurations onto sticks that do not ask for an image
// that starts from one.
func TestISOWriteModes(t *testing.T) {
	dir := flakeOf(t, `{
		disc = nixosSystem { settings.isoImage.makeUsbBootable = false; };
		none = nixosSystem { settings.isoImage = { makeBiosBootable = false; makeEfiBootable = false; }; };
	}`)
	s := newStick(t, 256*mib)
	checkRefusal(t, call{dir: dir}.livebuild(t, "iso", ".#none", "--write", s.name, "--yes"), 1, "none would start no machine", "isoImage.makeEfiBootable = true")
	s.checkUntouched(t)

	o := call{dir: dir}.livebuild(t, "iso", ".#disc", "--write", s.name, "--yes")
	if o.status != 0 || !strings.Contains(o.stderr, "isoImage.makeUsbBootable is false: the image gets a partition table all the same") {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	// What is on the stick is told by others.
	if table := judge(t, "gdisk", "sgdisk", "--print", s.path); !strings.Contains(table, "EF00") {
		t.Errorf("the stick has the partitions\n%s", table)
	}
	if code := readFile(t, s.file)[:2]; code[0] == 0 && code[1] == 0 {
		t.Error("the stick has no boot code")
	}

	// As a file it is the disc that was asked for, and writing it is warned of.
	if o := (call{dir: dir}).livebuild(t, "iso", ".#disc", "-o", "disc.iso"); o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}
	defer os.Remove(filepath.Join(dir, "disc.iso"))
	o = call{dir: dir}.livebuild(t, "write", "disc.iso", s.name, "--yes")
	if o.status != 0 || !strings.Contains(o.stderr, "warning: disc.iso has no partition table") || !strings.Contains(o.stderr, "hint: of a NixOS configuration: set isoImage.makeUsbBootable = true") {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
}
