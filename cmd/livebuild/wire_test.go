package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/testdisk"
	"github.com/livebuild/livebuild/internal/testimage"
)

// mirror is a web server with files that a test can change, and that does what a test wants.
type mirror struct {
	url string

	mu     sync.Mutex
	files  map[string][]byte // by path
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
	alter  func(offset int64, p []byte)
	sent   int64
}

func newMirror(t testing.TB, files map[string][]byte) *mirror {
	t.Helper()
	m := &mirror{files: files}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	data, ok := m.files[r.URL.Path]
	before := m.before
	m.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%.16s"`, sha256Of(data)))
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(mirrored{m, data}, 0, int64(len(data))))
}

type mirrored struct {
	*mirror
	data []byte
}

func (m mirrored) ReadAt(p []byte, offset int64) (int, error) {
	n := copy(p, m.data[offset:])
	m.mu.Lock()
	alter := m.alter
	m.sent += int64(n)
	m.mu.Unlock()
	if alter != nil {
		alter(offset, p[:n])
	}
	return n, nil
}

// do changes the mirror, and returns how much was sent since the last time.
func (m *mirror) do(change func()) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent := m.sent
	m.sent = 0
	if change != nil {
		change()
	}
	return sent
}

// weekly is an image before and after the change of a package.
func weekly(t testing.TB) (before, after []byte) {
	opts := testimage.Options{Packages: 12, Boot: map[string]int{"boot/kernel": 1}}
	before = testimage.New(t, opts)
	opts.Versions = map[int]byte{5: 1}
	return before, testimage.New(t, opts)
}

func TestFetch(t *testing.T) {
	before, after := weekly(t)
	m := newMirror(t, map[string][]byte{"/x/image.iso": after, "/x/plain.img": imageBytes(t, 3*mib)})
	folder := t.TempDir()
	file := filepath.Join(folder, "image.iso")
	writeFile(t, file, before)
	type downloaded struct {
		File, SHA256 string
		Size, Saved  int64
		Downloaded   int64
		Trust        struct{ By, Source string }
		Seconds      float64
		URL          string
	}
	fetch := func(t *testing.T, args ...string) (d downloaded) {
		t.Helper()
		o := livebuild(t, append([]string{"fetch", "--json"}, args...)...)
		if o.status != 0 {
			t.Fatalf("status %d\n%s", o.status, o.stderr)
		}
		if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("the file to be replaced", func(t *testing.T) {
		d := fetch(t, m.url+"/x/image.iso", "-o", folder)
		sent := m.do(nil)
		if d.File != file || d.SHA256 != sha256Of(after) || d.Size != int64(len(after)) || d.Saved == 0 || d.Trust.By != "nothing" {
			t.Errorf("%+v", d)
		}
		if d.Downloaded > sent || sent > int64(len(after))*2/3 {
			t.Errorf("%d bytes were sent, %d counted, of %d", sent, d.Downloaded, len(after))
		}
		if !bytes.Equal(readFile(t, file), after) {
			t.Error("the file is not the image")
		}
		checkNames(t, folder, "image.iso")
	})
	t.Run("a seed, and a sum", func(t *testing.T) {
		seed := filepath.Join(t.TempDir(), "seed")
		writeFile(t, seed, before)
		d := fetch(t, m.url+"/x/image.iso", "-o", filepath.Join(folder, "other.iso"), "--seed", seed, "--sha256", sha256Of(after))
		if d.Saved == 0 || d.Trust.By != "user" || m.do(nil) > int64(len(after))*2/3 {
			t.Errorf("%+v", d)
		}
	})
	t.Run("the sum of another one beside it", func(t *testing.T) {
		folder := t.TempDir()
		file := filepath.Join(folder, "image.iso")
		writeFile(t, file, before)
		const others = "  image.iso\n0000000000000000000000000000000000000000000000000000000000000000  other.iso\n"
		for was, test := range map[string]struct{ is, says string }{
			sha256Of(before) + "  image.iso\n": {sha256Of(after) + "  image.iso\n", file + ".sha256 was of another image"},
			sha256Of(after) + " *image.iso\n":  {sha256Of(after) + " *image.iso\n", ""},
			sha256Of(before) + others:          {sha256Of(before) + others, "warning: " + file + ".sha256 is of another image"},
		} {
			writeFile(t, file, before)
			writeFile(t, file+".sha256", []byte(was))
			o := livebuild(t, "fetch", m.url+"/x/image.iso", "-o", file)
			if said := strings.Contains(o.stderr, "of another image"); o.status != 0 || said != (test.says != "") || !strings.Contains(o.stderr, test.says) {
				t.Errorf("status %d, want it to say %q\n%s", o.status, test.says, o.stderr)
			}
			if got := string(readFile(t, file+".sha256")); got != test.is {
				t.Errorf("of the checksum %q became %q, want %q", was, got, test.is)
			}
		}
	})
	t.Run("one fetched before", func(t *testing.T) {
		with := call{env: []string{"XDG_CACHE_HOME=" + t.TempDir()}}
		for i, name := range []string{"a.iso", "b.iso"} {
			o := with.livebuild(t, "fetch", m.url+"/x/image.iso", "-o", filepath.Join(folder, name))
			if sent := m.do(nil); o.status != 0 || o.stdout != filepath.Join(folder, name)+"\n" || i > 0 && sent > mib {
				t.Errorf("status %d, %d bytes were sent\n%s", o.status, sent, o.stderr)
			}
		}
	})
	t.Run("a sum beside it", func(t *testing.T) {
		m.do(func() {
			m.files["/x/plain.img.sha256"] = []byte(sha256Of(m.files["/x/plain.img"]) + "  plain.img\n")
		})
		o := livebuild(t, "fetch", m.url+"/x/plain.img", "-o", filepath.Join(folder, "plain.img"))
		if o.status != 0 || !strings.Contains(o.stderr, "whole by "+m.url+"/x/plain.img.sha256") || !strings.Contains(o.stderr, "is downloaded as a whole") {
			t.Errorf("status %d\n%s", o.status, o.stderr)
		}
		m.do(func() {
			m.files["/x/SHA256SUMS"] = []byte(sha256Of(before) + "  image.iso\n")
		})
		o = livebuild(t, "fetch", m.url+"/x/image.iso", "-o", filepath.Join(folder, "wrong.iso"))
		checkRefusal(t, o, 1, "has the SHA-256", m.url+"/x/SHA256SUMS")
		m.do(func() { delete(m.files, "/x/SHA256SUMS") })
		if _, err := os.Stat(filepath.Join(folder, "wrong.iso.part")); err == nil {
			t.Error("what is wrong is kept")
		}
	})
}

// TestFetchSigned wants a signature, by the right key, of what was downloaded.
func TestFetchSigned(t *testing.T) {
	_, after := weekly(t)
	folder := t.TempDir()
	published := filepath.Join(folder, "image.iso")
	writeFile(t, published, after)
	for _, key := range []string{"key", "other"} {
		judge(t, "openssh-client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(folder, key))
	}
	judge(t, "openssh-client", "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", filepath.Join(folder, "key"), published)
	text := readFile(t, published+".sig")
	m := newMirror(t, map[string][]byte{"/image.iso": after})
	got := filepath.Join(folder, "got.iso")
	fetch := func(key string) outcome {
		return livebuild(t, "fetch", m.url+"/image.iso", "-o", got, "--key", filepath.Join(folder, key))
	}
	checkRefusal(t, fetch("key.pub"), 1, "there is no signature of "+m.url+"/image.iso")
	if sent := m.do(func() { m.files["/image.iso.sig"] = text }); sent > mib {
		t.Errorf("%d bytes were sent in vain", sent)
	}
	checkRefusal(t, fetch("other.pub"), 1, "the signature is by another key")
	checkRefusal(t, fetch("absent.pub"), 1, "absent.pub")
	o := fetch("key.pub")
	if o.status != 0 || !strings.Contains(o.stderr, "it is signed by ") || !bytes.Equal(readFile(t, got), after) {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	m.do(func() {
		before, _ := weekly(t)
		m.files["/image.iso"] = before
	})
	checkRefusal(t, fetch("key.pub"), 1, "the signature is not of this image")
	if !bytes.Equal(readFile(t, got), after) {
		t.Error("the file was replaced")
	}
}

// imageBytes is a disk image of so many bytes.
func imageBytes(t testing.TB, size int) []byte {
	_, content := imageFile(t, size)
	return content
}

// TestFetchRefuses says what is wrong with a URL, a server, or what it has.
func TestFetchRefuses(t *testing.T) {
	_, after := weekly(t)
	zip := append([]byte("PK\x03\x04"), make([]byte, 1000)...)
	m := newMirror(t, map[string][]byte{
		"/image.iso": after,
		"/page.iso":  []byte("<!DOCTYPE html><html>Sign in</html>"),
		"/a.zip":     zip,
		"/cut.iso":   after[:len(after)/2],
	})
	m.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/403"):
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/token.iso" && r.Header.Get("Private-Token") != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/gzip.iso":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(after)
		default:
			return false
		}
		return true
	}
	folder := t.TempDir()
	precious := filepath.Join(folder, "precious")
	writeFile(t, precious, []byte("precious"))
	for name, c := range map[string]struct {
		args   []string
		status int
		texts  []string
	}{
		"nothing":          {nil, 2, []string{"a URL is missing"}},
		"two":              {[]string{"https://a/b", "https://a/c"}, 2, []string{"one URL is wanted"}},
		"a file":           {[]string{precious}, 2, []string{"is no URL", "https://"}},
		"another protocol": {[]string{"ftp://a/b"}, 2, []string{"is no URL"}},
		"no header":        {[]string{m.url + "/image.iso", "--header", "nonsense"}, 2, []string{"--header needs"}},
		"no sum":           {[]string{m.url + "/image.iso", "--sha256", "12"}, 2, []string{"64 hexadecimal digits"}},
		"no seed":          {[]string{m.url + "/image.iso", "--seed", "/absent"}, 2, []string{"/absent"}},
		"no name":          {[]string{m.url + "/x/.."}, 1, []string{"404"}},
		"404":              {[]string{m.url + "/absent.iso"}, 1, []string{"404, Not Found", "check the URL"}},
		"403":              {[]string{m.url + "/403.iso"}, 1, []string{"403, Forbidden", "--header"}},
		"401":              {[]string{m.url + "/token.iso"}, 1, []string{"401", ".netrc"}},
		"a portal":         {[]string{m.url + "/page.iso"}, 1, []string{"is a web page, and no image", "sign in"}},
		"a zip":            {[]string{m.url + "/a.zip"}, 1, []string{"is a zip archive"}},
		"gzip":             {[]string{m.url + "/gzip.iso"}, 1, []string{"Content-Encoding: gzip"}},
		"half":             {[]string{m.url + "/cut.iso"}, 1, []string{"is incomplete"}},
		"another sum":      {[]string{m.url + "/image.iso", "--sha256", strings.Repeat("0", 64)}, 1, []string{"has the SHA-256"}},
		"something there":  {[]string{m.url + "/image.iso", "-o", precious}, 1, []string{"is not an image made by livebuild", "--force"}},
		"no folder":        {[]string{m.url + "/image.iso", "-o", "absent/x.iso"}, 1, []string{"no such file"}},
		"nobody":           {[]string{"http://127.0.0.1:1/x.iso"}, 1, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			where := t.TempDir()
			args := append([]string{"fetch"}, c.args...)
			if !strings.Contains(strings.Join(args, " "), "-o") {
				args = append(args, "-o", where+"/")
			}
			checkRefusal(t, livebuild(t, args...), c.status, c.texts...)
			checkNames(t, where)
		})
	}
	if string(readFile(t, precious)) != "precious" {
		t.Error("a file was replaced")
	}
	checkNames(t, folder, "precious")
}

// TestFetchFullDisk downloads to a disk that is too small, and, with room, goes on.
func TestFetchFullDisk(t *testing.T) {
	before, after := weekly(t)
	m := newMirror(t, map[string][]byte{"/image.iso": after})
	folder := mount(t, "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", len(before)+4*mib), "tmpfs")
	file := filepath.Join(folder, "image.iso")
	writeFile(t, file, before)
	o := livebuild(t, "fetch", m.url+"/image.iso", "-o", file)
	checkRefusal(t, o, 1, "no space left on device", "make room")
	if !bytes.Equal(readFile(t, file), before) {
		t.Error("the old file was changed")
	}
	judge(t, "mount", "mount", "-o", "remount,size=200M", folder)
	if o = livebuild(t, "fetch", m.url+"/image.iso", "-o", file); o.status != 0 {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	if !bytes.Equal(readFile(t, file), after) {
		t.Error("the file is not the image")
	}
	checkNames(t, folder, "image.iso")
}

// TestFetchKilled kills the program at 50 points: the file that has the name is always whole, the old
// one or the new one.
func TestFetchKilled(t *testing.T) {
	before, after := weekly(t)
	plain := imageBytes(t, 24*mib)
	for name, c := range map[string]struct{ old, new []byte }{"pieces": {before, after}, "plain": {imageBytes(t, 2*mib), plain}} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t, map[string][]byte{"/image.iso": c.new})
			folder := t.TempDir()
			file := filepath.Join(folder, "image.iso")
			writeFile(t, file, c.old)
			r := rand.New(rand.NewPCG(3, 4))
			args := []string{"fetch", m.url + "/image.iso", "-o", file, "--force"}
			killed := 0
			for range 25 {
				run := call{}.start(t, args...)
				left := r.Int64N(int64(len(c.new)))
				var once sync.Once
				m.do(func() {
					m.alter = func(_ int64, p []byte) {
						m.mu.Lock()
						left -= int64(len(p))
						now := left < 0
						m.mu.Unlock()
						if now {
							once.Do(func() { _ = syscall.Kill(-run.cmd.Process.Pid, syscall.SIGKILL) })
						}
					}
				})
				if o := run.wait(t); o.status != 0 {
					killed++
				}
				got := readFile(t, file)
				switch {
				case bytes.Equal(got, c.new):
					writeFile(t, file, c.old) // and again
				case !bytes.Equal(got, c.old):
					t.Fatal("the file is neither the old nor the new one")
				}
			}
			m.do(func() { m.alter = nil })
			o := livebuild(t, args...)
			if o.status != 0 || !bytes.Equal(readFile(t, file), c.new) {
				t.Errorf("status %d\n%s", o.status, o.stderr)
			}
			checkNames(t, folder, "image.iso")
			if killed == 0 {
				t.Error("it was never killed")
			}
		})
	}
}

// TestWriteURL makes last week's stick this week's.
func TestWriteURL(t *testing.T) {
	before, after := weekly(t)
	m := newMirror(t, map[string][]byte{"/image.iso": after})
	cache := t.TempDir()
	with := call{env: []string{"XDG_CACHE_HOME=" + cache}}
	faulty := testdisk.NewFaulty(t, 64*mib)
	s := stickOf(t, faulty.Path)
	file := filepath.Join(t.TempDir(), "before.iso")
	writeFile(t, file, before)
	if o := livebuild(t, "write", file, s.name, "--yes"); o.status != 0 {
		t.Fatalf("status %d\n%s", o.status, o.stderr)
	}

	// A server that is cut leaves the stick as it was.
	m.do(func() {
		m.alter = func(offset int64, _ []byte) {
			if offset > int64(len(after))/4 && offset < int64(len(after))*3/4 {
				panic(http.ErrAbortHandler)
			}
		}
	})
	r := with.start(t, "write", m.url+"/image.iso", s.name, "--yes")
	r.waitFor(t, "downloading")
	r.signal(t, syscall.SIGINT)
	if o := r.wait(t); o.status != 130 {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	s.check(t, before)
	m.do(func() { m.alter = nil })

	// A stick that fails looks empty, and what was downloaded is not downloaded again.
	faulty.FailWrites(0, 64*mib, syscall.EIO)
	o := with.livebuild(t, "write", m.url+"/image.iso", s.name, "--yes")
	if o.status != 1 || o.stdout != "" || !strings.Contains(o.stderr, "error: writing "+s.path) {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
	faulty.Behave()
	if sent := m.do(nil); sent > int64(len(after))*2/3 {
		t.Errorf("%d bytes were sent of %d, although the stick has most of them", sent, len(after))
	}
	o = with.livebuild(t, "write", m.url+"/image.iso", s.name, "--yes", "--json")
	_, results := linesOf(t, o)
	if o.status != 0 || len(results) != 1 || !results[0].OK || !results[0].Verified || results[0].Equal == 0 {
		t.Errorf("status %d, %+v\n%s", o.status, results, o.stderr)
	}
	if sent := m.do(nil); sent > mib {
		t.Errorf("%d bytes were sent again", sent)
	}
	s.check(t, after)
	checkNames(t, filepath.Join(cache, "livebuild/downloads"))

	o = with.livebuild(t, "write", m.url+"/image.iso", s.name, "--verify-only")
	if sent := m.do(nil); o.status != 0 || sent > mib {
		t.Errorf("status %d, %d bytes were sent\n%s", o.status, sent, o.stderr)
	}
	checkRefusal(t, with.livebuild(t, "write", file, s.name, "--yes", "--seed", file), 2, "--seed is about images on a server")
	checkRefusal(t, with.livebuild(t, "write", m.url+"/absent.iso", s.name, "--yes"), 1, "404")
	small := newStick(t, mib)
	checkRefusal(t, with.livebuild(t, "write", m.url+"/image.iso", small.name, "--yes"), 1, small.path)
	small.checkUntouched(t)
}

// TestReuseURL packs from an image on a server, of which the new one has the same bytes whatever the
// server does.
func TestReuseURL(t *testing.T) {
	want := miniISO(t)
	image := readFile(t, want.File)
	m := newMirror(t, map[string][]byte{"/image.iso": image})
	build := func(t *testing.T, says string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "image.iso")
		o := livebuild(t, "iso", miniFlake(t)+"#mini", "-o", file, "--reuse", m.url+"/image.iso", "--summary", file+".md")
		if o.status != 0 || !strings.Contains(o.stderr, says) {
			t.Errorf("status %d, want it to say %q\n%s", o.status, says, o.stderr)
		}
		if summary := string(readFile(t, file+".md")); !strings.Contains(summary, "**"+strings.Replace(m.url, ":", `\:`, 1)+"/image.iso → image.iso:** no difference; ") {
			t.Errorf("the summary says\n%s", summary)
		}
		judge(t, "diffutils", "cmp", file, want.File)
	}
	lie := func(from, to int64, what func(p []byte)) func(int64, []byte) {
		return func(offset int64, p []byte) {
			if offset >= from && offset < to {
				what(p)
			}
		}
	}
	groups := int64(storeOffset(t, want.File)) + mib // and nothing of what the summary is made of: heads and tables
	t.Run("good", func(t *testing.T) { build(t, "of the store image from "+m.url) })
	t.Run("other bytes", func(t *testing.T) {
		m.do(func() { m.alter = lie(groups, groups+mib, func(p []byte) { p[0] ^= 1 }) })
		build(t, "reused nothing")
	})
	t.Run("cut", func(t *testing.T) {
		m.do(func() { m.alter = lie(groups, groups+4*mib, func([]byte) { panic(http.ErrAbortHandler) }) })
		build(t, "reused nothing")
	})
	m.do(func() { m.alter = nil })
	t.Run("a disk", func(t *testing.T) {
		s, summary := newStick(t, 128*mib), filepath.Join(t.TempDir(), "summary.md")
		o := livebuild(t, "iso", miniFlake(t)+"#mini", "--write", s.name, "--yes", "--reuse", m.url+"/image.iso", "--summary", summary)
		if o.status != 0 || !strings.Contains(o.stderr, "reused ") {
			t.Errorf("status %d\n%s", o.status, o.stderr)
		}
		if got := string(readFile(t, summary)); !strings.Contains(got, "**"+strings.Replace(m.url, ":", `\:`, 1)+"/image.iso → "+s.path+":** no difference; ") {
			t.Errorf("the summary says\n%s", got)
		}
		s.check(t, image)
	})
	t.Run("nothing there", func(t *testing.T) {
		checkRefusal(t, livebuild(t, "iso", miniFlake(t)+"#mini", "-o", t.TempDir(), "--reuse", m.url+"/absent"), 1, "404")
	})
}
