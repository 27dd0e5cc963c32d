package imagefile_test

import (
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/livebuild/livebuild/internal/imagefile"
	"github.com/livebuild/livebuild/internal/judge"
)

func hash512(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

// windowsText is text as PowerShell redirects it.
func windowsText(text string) string {
	b := []byte("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

const signatureText = `-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
-----END PGP SIGNATURE-----
`

// TestFindSum finds checksums as people publish them.
func TestFindSum(t *testing.T) {
	b := image()
	sum, other, long := hash(b), hash([]byte("other")), hash512(b)
	for name, test := range map[string]struct {
		files map[string]string
		want  string
		bad   string // what the error says
		none  bool
	}{
		"none":               {none: true},
		"own":                {files: map[string]string{"a.iso.sha256": sum + "  a.iso\n"}, want: sum},
		"own, bare":          {files: map[string]string{"a.iso.sha256": sum + "\n"}, want: sum},
		"own, upper case":    {files: map[string]string{"a.iso.sha256": strings.ToUpper(sum) + " *a.iso\r\n"}, want: sum},
		"own, renamed":       {files: map[string]string{"a.iso.sha256": sum + "  nixos.iso\n"}, want: sum},
		"own, before shared": {files: map[string]string{"a.iso.sha256": sum + "  a.iso\n", "SHA256SUMS": other + "  a.iso\n"}, want: sum},
		"own, empty":         {files: map[string]string{"a.iso.sha256": "\n"}, bad: "holds no SHA-256"},
		"own, several":       {files: map[string]string{"a.iso.sha256": sum + "  b.iso\n" + other + "  c.iso\n"}, bad: "several"},
		"own, no text":       {files: map[string]string{"a.iso.sha256": "\x00\x01\xff" + sum}, bad: "no text"},
		"own, 512":           {files: map[string]string{"a.iso.sha512": long + "  a.iso\n"}, want: long},
		"own, 512, bare":     {files: map[string]string{"a.iso.sha512": long}, want: long},
		"own, openssl":       {files: map[string]string{"a.iso.sha256": "SHA2-256(/home/me/a.iso)= " + sum + "\n"}, want: sum},
		"own, Get-FileHash":  {files: map[string]string{"a.iso.sha256": windowsText("\r\nAlgorithm : SHA256\r\nHash      : " + strings.ToUpper(sum) + "\r\nPath      : C:\\a.iso\r\n\r\n")}, want: sum},
		"own, certutil":      {files: map[string]string{"a.iso.sha256": "SHA256 hash of C:\\Users\\me\\a.iso:\r\n" + sum + "\r\nCertUtil: -hashfile command completed successfully.\r\n"}, want: sum},

		"shared":                {files: map[string]string{"SHA256SUMS": other + "  b.iso\n" + sum + "  a.iso\n"}, want: sum},
		"shared, with path":     {files: map[string]string{"SHA256SUMS": other + " *ba.iso\n" + sum + " *./out/a.iso\n"}, want: sum},
		"shared, BSD":           {files: map[string]string{"SHA256SUMS": "SHA256 (b.iso) = " + other + "\nSHA256 (a.iso) = " + sum + "\n"}, want: sum},
		"shared, of others":     {files: map[string]string{"SHA256SUMS": other + "  b.iso\n" + other + "  a.iso.torrent\n" + other + "  ba.iso\n"}, none: true},
		"shared, byte order":    {files: map[string]string{"SHA256SUMS": "\ufeff" + sum + "  a.iso\n"}, want: sum},
		"shared, tab":           {files: map[string]string{"SHA256SUMS": sum + "\ta.iso\n"}, want: sum},
		"shared, openssl":       {files: map[string]string{"SHA256SUMS": "SHA256(a.iso)= " + sum + "\n"}, want: sum},
		"shared, CRLF":          {files: map[string]string{"SHA256SUMS": other + "  b.iso\r\n" + sum + "  a.iso\r\n"}, want: sum},
		"shared, CR":            {files: map[string]string{"SHA256SUMS": sum + "  a.iso \r\r\n"}, want: sum},
		"shared, UTF-16":        {files: map[string]string{"SHA256SUMS": windowsText(sum + "  a.iso\r\n")}, want: sum},
		"shared, Get-FileHash":  {files: map[string]string{"SHA256SUMS": "SHA256          " + strings.ToUpper(sum) + "       C:\\out\\a.iso\r\n"}, want: sum},
		"shared, name first":    {files: map[string]string{"SHA256SUMS": "a.iso: " + sum + "\n"}, want: sum},
		"shared, .txt":          {files: map[string]string{"SHA256SUMS.txt": sum + "  a.iso\n"}, want: sum},
		"shared, lower .txt":    {files: map[string]string{"sha256sums.txt": sum + "  a.iso\n"}, want: sum},
		"shared, lower":         {files: map[string]string{"sha256sums": sum + "  a.iso\n"}, want: sum},
		"shared, OpenBSD":       {files: map[string]string{"SHA256": "SHA256 (a.iso) = " + sum + "\n"}, want: sum},
		"shared, FreeBSD":       {files: map[string]string{"CHECKSUM.SHA512-FreeBSD-14.1-RELEASE-amd64": "SHA512 (a.iso) = " + long + "\n"}, want: long},
		"shared, 512":           {files: map[string]string{"SHA512SUMS": long + "  a.iso\n"}, want: long},
		"shared, the other 512": {files: map[string]string{"SHA256SUMS": other + "  b.iso\n", "SHA512SUMS": long + "  a.iso\n"}, want: long},
		"shared, Fedora": {files: map[string]string{"Fedora-Live-40-x86_64-CHECKSUM": "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# a.iso: 3145745 bytes\nSHA256 (a.iso) = " +
			sum + "\n" + signatureText}, want: sum},
		"shared, signed":    {files: map[string]string{"SHA256SUMS": "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- " + other + "  b.iso\n- " + sum + "  a.iso\n" + signatureText}, want: sum},
		"CHECKSUM, MD5 too": {files: map[string]string{"CHECKSUM": "MD5 (a.iso) = d41d8cd98f00b204e9800998ecf8427e\nSHA256 (a.iso) = " + sum + "\n"}, want: sum},
		"CHECKSUM, MD5":     {files: map[string]string{"CHECKSUM": "MD5 (a.iso) = d41d8cd98f00b204e9800998ecf8427e\n"}, bad: "names a.iso, but no SHA-256"},
		"BLAKE2":            {files: map[string]string{"CHECKSUM": "BLAKE2b (a.iso) = " + long + "\n"}, bad: "names a.iso"},
		"cut":               {files: map[string]string{"SHA256SUMS": sum[:60] + "  a.iso\n"}, bad: "names a.iso"},
		"one digit more":    {files: map[string]string{"SHA256SUMS": sum + "0  a.iso\n"}, bad: "names a.iso"},
		"tag and length":    {files: map[string]string{"SHA256SUMS": "SHA512 (a.iso) = " + sum + "\n"}, bad: "names a.iso"},
		"in a sentence":     {files: map[string]string{"CHECKSUM": "this folder holds a.iso.\n"}, bad: "names a.iso"},
		"no text":           {files: map[string]string{"SHA256SUMS": "\x88\x00\x01" + sum}, bad: "no text"},
		"no text, another":  {files: map[string]string{"SHA256SUMS": "\x88\x00\x01", "sha256sum.txt": sum + "  a.iso\n"}, want: sum},
		"UTF-16, cut":       {files: map[string]string{"SHA256SUMS": windowsText(sum+"  b.iso") + "\x00"}, bad: "no text"},
		"other signature":   {files: map[string]string{"SHA256SUMS.gpg": "\x88\x00\x01", "SHA256SUMS.asc": signatureText}, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "a.iso")
			write(t, path, b)
			for name, text := range test.files {
				write(t, filepath.Join(folder, name), []byte(text))
			}
			f, err := imagefile.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := f.FindSum()
			var bad *imagefile.SumError
			switch {
			case test.bad != "" && errors.As(err, &bad) && strings.Contains(err.Error(), test.bad), test.none && err == nil && got == nil:
			case err != nil || got == nil || got.Sum != test.want:
				t.Errorf("found %+v, %v", got, err)
			default:
				if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: got, Any: true}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestFindSumByTools reads what the programs write that people make such files
// with.
func TestFindSumByTools(t *testing.T) {
	folder := t.TempDir()
	name := `an image \ of (mine) = new.iso`
	path := filepath.Join(folder, name)
	write(t, path, image())
	for _, command := range []string{"sha256sum", "sha256sum --tag", "sha256sum --binary", "sha512sum", "sha512sum --tag", "openssl dgst -sha256", "openssl dgst -sha512"} {
		judge.Run(t, "coreutils, openssl", "sh", "-euc", `cd "$1"; `+command+` "$2" > SHA256SUMS`, "sh", folder, name)
		f, err := imagefile.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := f.FindSum()
		if err != nil || sum == nil {
			t.Errorf("%s: %+v, %v", command, sum, err)
		} else if _, err := f.Check(t.Context(), imagefile.CheckOptions{Sum: sum, Any: true}); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		f.Close()
	}
}

// TestFindSumFiles has other things than files by the names of checksums.
func TestFindSumFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.iso")
	write(t, path, image())
	for _, name := range []string{"SHA256SUMS", "checksum", "a.iso.sha256"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := imagefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if sum, err := f.FindSum(); sum != nil || err != nil {
		t.Errorf("folders: %+v, %v", sum, err)
	}
	large, err := os.Create(filepath.Join(folder, "sha512sum.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if err := large.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	var bad *imagefile.SumError
	if _, err := f.FindSum(); !errors.As(err, &bad) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large file: %v", err)
	}
}
