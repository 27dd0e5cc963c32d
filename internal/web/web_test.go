package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// content is a file of some blocks, which cannot be told from another by its beginning.
func content(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(b)
	return b
}

// quick are options under which a test does not have to wait.
var quick = Options{Idle: time.Second, Tries: 3, Pause: time.Millisecond}

// server is one on which a test decides what is answered.
func server(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL + "/image.iso"
}

// serve answers as a good server does.
func serve(w http.ResponseWriter, r *http.Request, etag string, data []byte) {
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func open(t *testing.T, address string, opts Options) *File {
	t.Helper()
	f, err := Open(t.Context(), address, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFile(t *testing.T) {
	data := content(300_000)
	var asked atomic.Int64
	var got atomic.Int64
	opts := quick
	opts.Received = func(n int) { got.Add(int64(n)) }
	f := open(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		serve(w, r, `"1"`, data)
	}), opts)
	if f.Size != int64(len(data)) || !f.Ranges || f.Secure || f.Validator() != `"1"` || f.Name() != "image.iso" {
		t.Errorf("%+v", f)
	}
	for _, c := range []struct{ offset, size int }{{0, 10}, {65_530, 20}, {0, 300_000}, {299_999, 1}, {131_072, 65_536}} {
		p := make([]byte, c.size)
		if n, err := f.ReadAt(p, int64(c.offset)); n != c.size || err != nil || !bytes.Equal(p, data[c.offset:c.offset+c.size]) {
			t.Errorf("%d bytes at %d: %d, %v", c.size, c.offset, n, err)
		}
	}
	if n, err := f.ReadAt(make([]byte, 10), 299_995); n != 5 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if asked.Load() > 4 || got.Load() != int64(len(data)) {
		t.Errorf("%d requests for %d bytes: what was read is read again", asked.Load(), got.Load())
	}
	var b bytes.Buffer
	if err := f.Fetch(t.Context(), 1000, 200_000, &b); err != nil || !bytes.Equal(b.Bytes(), data[1000:201_000]) {
		t.Error(err)
	}
	if err := f.Fetch(t.Context(), 1000, 300_000, io.Discard); err == nil {
		t.Error("more can be had than there is")
	}
}

// TestResume breaks the connection again and again.
func TestResume(t *testing.T) {
	data := content(2 << 20)
	var asked atomic.Int64
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := asked.Add(1); {
		case n%3 == 0:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case n > 1:
			serve(&cut{ResponseWriter: w, left: 300_000}, r, `"1"`, data)
		default:
			serve(w, r, `"1"`, data)
		}
	})
	f := open(t, address, quick)
	var b bytes.Buffer
	if err := f.Fetch(t.Context(), 5, int64(len(data)-5), &b); err != nil || !bytes.Equal(b.Bytes(), data[5:]) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
	if asked.Load() < 8 {
		t.Errorf("%d requests: nothing was broken", asked.Load())
	}
}

// cut ends a connection after so many bytes.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// TestWholeOnly reads from a server that gives no parts, and breaks off once.
func TestWholeOnly(t *testing.T) {
	data := content(500_000)
	var asked atomic.Int64
	f := open(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if asked.Add(1) == 2 {
			w = &cut{ResponseWriter: w, left: 100_000}
		}
		_, _ = w.Write(data)
	}), quick)
	if f.Ranges || f.Size != int64(len(data)) {
		t.Errorf("%+v", f)
	}
	var b bytes.Buffer
	err := f.Stream(t.Context(), 0, func(offset int64) io.Writer {
		b.Truncate(int(offset))
		return &b
	})
	if err != nil || !bytes.Equal(b.Bytes(), data) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
	if err := f.Stream(t.Context(), 10, func(int64) io.Writer { return io.Discard }); !is[*RangeError](err) {
		t.Errorf("%v", err)
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestRefuses has servers lie, fail and dawdle. What is true of opening is true of reading.
func TestRefuses(t *testing.T) {
	data := content(1 << 20)
	page := []byte("<!DOCTYPE html><html><body>Sign in</body></html>")
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	part := func(contentRange string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body)
		}
	}
	good := func(w http.ResponseWriter, r *http.Request) { serve(w, r, `"1"`, data) }
	for name, c := range map[string]struct {
		handler http.HandlerFunc // of the second request on, unless opening is to fail
		opening bool
		want    func(error) bool
	}{
		"403":                      {status(403), true, is[*StatusError]},
		"404":                      {status(404), true, is[*StatusError]},
		"416":                      {status(416), true, is[*StatusError]},
		"500 for ever":             {status(500), true, is[*GaveUpError]},
		"no content":               {status(204), true, is[*StatusError]},
		"an endless chain":         {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }, true, is[*RedirectError]},
		"a captive portal":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }, true, is[*HTMLError]},
		"a page as a part":         {part("bytes 0-47/48", page), true, is[*HTMLError]},
		"an empty file":            {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") }, true, is[*SizeError]},
		"no size":                  {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); _, _ = w.Write(data) }, true, is[*SizeError]},
		"gzip":                     {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "gzip"); good(w, r) }, true, is[*EncodingError]},
		"another part at once":     {part("bytes 5-9/10", page[:5]), true, is[*RangeError]},
		"nonsense":                 {part("bites 0-9/ten", page[:10]), true, is[*RangeError]},
		"negative":                 {part("bytes 0--5/10", page[:10]), true, is[*RangeError]},
		"nothing":                  {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true, is[*GaveUpError]},
		"another part":             {part("bytes 0-99/1048576", data[:100]), false, is[*RangeError]},
		"more than was asked":      {part("bytes 100-1048575/1048576", data[100:]), false, is[*RangeError]},
		"another size":             {part("bytes 100-199/2000000", data[100:200]), false, is[*ChangedError]},
		"another file":             {func(w http.ResponseWriter, r *http.Request) { serve(w, r, `"2"`, data) }, false, is[*ChangedError]},
		"another file, whole":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data[:1000]) }, false, is[*ChangedError]},
		"the whole":                {func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); serve(w, r, `"1"`, data) }, false, is[*RangeError]},
		"gzip later":               {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "gzip"); good(w, r) }, false, is[*EncodingError]},
		"gone":                     {status(404), false, is[*StatusError]},
		"a connection that breaks": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, is[*GaveUpError]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			opts := quick
			opts.Idle = 100 * time.Millisecond
			address := server(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 && !c.opening {
					good(w, r)
					return
				}
				c.handler(w, r)
			})
			f, err := Open(t.Context(), address, opts)
			if !c.opening {
				if err != nil {
					t.Fatal(err)
				}
				var b bytes.Buffer
				err = f.Fetch(t.Context(), 100, 100, &b)
				if b.Len() > 100 {
					t.Errorf("%d bytes came of 100", b.Len())
				}
			}
			if !c.want(err) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

// TestEndless reads a little of a body that does not end, and drips.
func TestEndless(t *testing.T) {
	data := content(1 << 20)
	var asked atomic.Int64
	ended := make(chan struct{}, 1)
	f := open(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			serve(w, r, `"1"`, data)
			return
		}
		w.Header().Set("Content-Range", "bytes 0-99/1048576")
		w.WriteHeader(http.StatusPartialContent)
		for r.Context().Err() == nil {
			if _, err := w.Write(data); err != nil {
				break
			}
		}
		ended <- struct{}{}
	}), quick)
	var b bytes.Buffer
	if err := f.Fetch(t.Context(), 0, 100, &b); err != nil || !bytes.Equal(b.Bytes(), data[:100]) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
	<-ended // the connection is given up

	opts := quick
	opts.Idle = 200 * time.Millisecond
	asked.Store(0)
	f = open(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			serve(w, r, `"1"`, data)
			return
		}
		var from int
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-999999/1048576", from))
		w.WriteHeader(http.StatusPartialContent)
		for i := 0; r.Context().Err() == nil; i++ {
			_, _ = w.Write(data[i%100 : i%100+1])
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}), opts)
	err := f.Fetch(t.Context(), 0, 1_000_000, io.Discard)
	if !is[*StalledError](err) || !is[*GaveUpError](err) {
		t.Errorf("a server that drips: %v", err)
	}
}

// TestCredentials checks that what is for one host goes to no other.
func TestCredentials(t *testing.T) {
	data := content(1000)
	var mu sync.Mutex
	seen := map[string]http.Header{}
	note := func(who string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[who] = r.Header.Clone()
	}
	other := server(t, func(w http.ResponseWriter, r *http.Request) {
		note("other", r)
		serve(w, r, `"1"`, data)
	})
	first := server(t, func(w http.ResponseWriter, r *http.Request) {
		note("first", r)
		http.Redirect(w, r, strings.Replace(other, "127.0.0.1", "localhost", 1)+"?signature=secret", http.StatusFound)
	})
	opts := quick
	opts.Header = http.Header{"Private-Token": {"secret"}, "Authorization": {"Bearer secret"}}
	opts.Password = func(host string) (string, string, bool) { return "me", "pass", host == "localhost" }
	f := open(t, first, opts)
	if h := seen["first"]; h.Get("Private-Token") != "secret" || h.Get("Authorization") != "Bearer secret" || h.Get("Accept-Encoding") != "identity" {
		t.Errorf("the host that was named was sent %v", h)
	}
	h := seen["other"]
	user, password, _ := (&http.Request{Header: h}).BasicAuth()
	if h.Get("Private-Token") != "" || h.Get("Referer") != "" || user != "me" || password != "pass" {
		t.Errorf("another host was sent %v", h)
	}
	// It is asked where it was sent on to, and what it is called tells no secret.
	seen = map[string]http.Header{}
	if err := f.Fetch(t.Context(), 0, 10, io.Discard); err != nil || len(seen) != 1 || strings.Contains(f.URL, "secret") {
		t.Errorf("%v, %v, %s", err, seen, f.URL)
	}
}

// TestExpired asks again where a file is when the place that it was sent on to is not for it any more.
func TestExpired(t *testing.T) {
	data := content(100_000)
	var mu sync.Mutex
	round := 0
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !r.URL.Query().Has("round"):
			round++
			http.Redirect(w, r, fmt.Sprintf("/image.iso?round=%d", round), http.StatusFound)
		case r.URL.Query().Get("round") != fmt.Sprint(round):
			w.WriteHeader(http.StatusForbidden)
		default:
			serve(w, r, `"1"`, data)
		}
	})
	f := open(t, address, quick)
	mu.Lock()
	round++
	mu.Unlock()
	if err := f.Fetch(t.Context(), 0, 10, io.Discard); err != nil {
		t.Error(err)
	}
}

// TestTLS asks servers of which it is not certain who they are.
func TestTLS(t *testing.T) {
	unknown := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer unknown.Close()
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	plain := server(t, func(http.ResponseWriter, *http.Request) {})
	for _, address := range []string{unknown.URL, strings.Replace(plain, "http:", "https:", 1)} {
		if _, err := Open(t.Context(), address, quick); !is[*TLSError](err) {
			t.Errorf("%T: %v", err, err)
		}
	}
	// Whoever is, may not send on to where nobody can be certain.
	downgrade := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain, http.StatusFound) }))
	downgrade.EnableHTTP2 = true
	downgrade.StartTLS()
	defer downgrade.Close()
	c, err := newClient(downgrade.URL, quick)
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: downgrade.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	if _, err := c.get(t.Context(), c.named, nil, http.StatusOK); !is[*RedirectError](err) {
		t.Errorf("%T: %v", err, err)
	}
}

func TestInterrupted(t *testing.T) {
	data := content(1 << 20)
	why := errors.New("enough")
	ctx, stop := context.WithCancelCause(t.Context())
	f := open(t, server(t, func(w http.ResponseWriter, r *http.Request) { serve(w, r, `"1"`, data) }), quick)
	if err := f.Fetch(ctx, 0, 1<<20, writerFunc(func(p []byte) (int, error) { stop(why); return len(p), nil })); err != why {
		t.Errorf("the error is %v", err)
	}
	full := errors.New("full")
	if err := f.Fetch(t.Context(), 0, 100, writerFunc(func([]byte) (int, error) { return 0, full })); err != full {
		t.Errorf("the error is %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{"https://a/b": true, "HTTP://a": true, "ftp://a/b": false, "a.iso": false, "/dev/sda": false, "github:a/b": false} {
		if Is(address) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
	for _, address := range []string{"https:///x", "https://", "http://a b/", "ftp://a/b"} {
		if _, err := Open(t.Context(), address, quick); !is[*AddressError](err) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := Open(t.Context(), "http://127.0.0.1:1/x", quick); !is[*ConnectError](err) || is[*GaveUpError](err) {
		t.Errorf("a closed port: %v", err)
	}
	if got := shown(&url.URL{Scheme: "https", Host: "h", Path: "/p", RawQuery: "secret", User: url.UserPassword("u", "secret")}); got != "https://h/p" {
		t.Error(got)
	}
}

func TestGet(t *testing.T) {
	address := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) })
	if text, err := Get(t.Context(), address, 100, quick); len(text) != 100 || err != nil {
		t.Errorf("%d, %v", len(text), err)
	}
	if _, err := Get(t.Context(), address, 99, quick); !is[*SizeError](err) {
		t.Errorf("%v", err)
	}
}
