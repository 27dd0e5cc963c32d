package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
)

// File is a file on a web server.
type File struct {
	URL    string // as people may see it
	Size   int64  // bytes
	Ranges bool   // parts of it can be read
	Secure bool   // it comes by TLS, all the way

	client    *client
	ctx       context.Context // of ReadAt, which has none of its own
	etag      string          // strong, or empty
	modified  string
	validator string // for If-Range; empty if the server has none

	mu     sync.Mutex
	at     *url.URL // where the server sent on to
	blocks map[int64][]byte
}

const (
	// blockSize is what ReadAt reads at least.
	blockSize = 64 << 10
	maxBlocks = 1024

	sniffed = 512 // bytes that tell a web page (http.DetectContentType)
)

// Open finds out what is at an address. The context is that of all reading by ReadAt, too. Errors
// are those of this package.
func Open(ctx context.Context, address string, opts Options) (*File, error) {
	c, err := newClient(address, opts)
	if err != nil {
		return nil, err
	}
	f := &File{URL: shown(c.named), client: c, ctx: ctx, at: c.named, blocks: map[int64][]byte{}}
	if err := c.persist(ctx, func(ctx context.Context) (bool, error) { return false, f.open(ctx) }); err != nil {
		c.close()
		return nil, err
	}
	return f, nil
}

// Close gives the connections back.
func (f *File) Close() error {
	f.client.close()
	return nil
}

// Name is what a copy of the file would be called; empty if the URL does not tell.
func (f *File) Name() string {
	name := path.Base(f.client.named.Path)
	if name == "." || name == "/" || name == ".." {
		return ""
	}
	return name
}

// Validator tells this state of the file from others, as far as the server does: by a strong ETag
// or by the date of the last change (RFC 9110 §8.8). It is empty if the server does not.
func (f *File) Validator() string { return f.validator }

// open asks for the first block.
func (f *File) open(ctx context.Context) error {
	a, err := f.client.get(ctx, f.client.named, rangeHeader(0, blockSize, ""), http.StatusPartialContent, http.StatusOK)
	if err != nil {
		return err
	}
	defer a.Close()
	f.at = a.Request.URL
	f.Secure = f.client.named.Scheme == "https" && f.at.Scheme == "https"
	f.etag, f.modified = strong(a.Header.Get("ETag")), a.Header.Get("Last-Modified")
	if f.validator = f.etag; f.validator == "" {
		f.validator = f.modified
	}
	length := a.ContentLength
	if f.Ranges = a.StatusCode == http.StatusPartialContent; f.Ranges {
		start, end, total, ok := parseContentRange(a.Header.Get("Content-Range"))
		if !ok || start != 0 || end > blockSize || end > total {
			return &RangeError{f.URL, fmt.Sprintf("answers the question for its first %d bytes by %q", blockSize, a.Header.Get("Content-Range"))}
		}
		f.Size, length = total, end
	} else if f.Size = length; length < 0 {
		return &SizeError{f.URL, "does not say how large it is"}
	}
	if f.Size == 0 {
		return &SizeError{f.URL, "is empty"}
	}
	head := make([]byte, min(length, blockSize))
	if _, err := io.ReadFull(a.body, head); err != nil {
		return f.broken(a.Request.Context(), err)
	}
	if isPage(head, a.Header.Get("Content-Type")) {
		return &HTMLError{f.URL}
	}
	if int64(len(head)) == min(f.Size, blockSize) {
		f.blocks[0] = head
	}
	return nil
}

// isPage tells a web page. Some servers call everything one that they do not know, so that what is in
// the file decides.
func isPage(head []byte, contentType string) bool {
	is := strings.HasPrefix(http.DetectContentType(head[:min(len(head), sniffed)]), "text/html")
	return is || strings.HasPrefix(contentType, "text/html") && strings.HasPrefix(strings.TrimSpace(string(head[:min(len(head), sniffed)])), "<")
}

// strong returns an entity tag by which equal means equal bytes, or nothing.
func strong(etag string) string {
	if strings.HasPrefix(etag, "W/") {
		return ""
	}
	return etag
}

func rangeHeader(offset, size int64, validator string) http.Header {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+size-1)}}
	if validator != "" {
		h.Set("If-Range", validator)
	}
	return h
}

// parseContentRange reads "bytes 0-99/1000" (RFC 9110 §14.4). The end is behind the last byte.
func parseContentRange(text string) (start, end, total int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes ")
	span, size, found := strings.Cut(text, "/")
	from, to, dash := strings.Cut(span, "-")
	var errs [3]error
	start, errs[0] = strconv.ParseInt(from, 10, 64)
	end, errs[1] = strconv.ParseInt(to, 10, 64)
	total, errs[2] = strconv.ParseInt(size, 10, 64)
	ok = ok && found && dash && errors.Join(errs[:]...) == nil && 0 <= start && start <= end && end < total
	return start, end + 1, total, ok
}

// Fetch writes a part of the file to w, each byte once and in order. It goes on where a connection
// broke. The error is one of this package, or that of w.
func (f *File) Fetch(ctx context.Context, offset, size int64, w io.Writer) error {
	if offset < 0 || size < 0 || size > f.Size-offset {
		return fmt.Errorf("%s has %d bytes, not %d at %d", f.URL, f.Size, size, offset)
	}
	done := int64(0)
	err := f.client.persist(ctx, func(ctx context.Context) (bool, error) {
		if done == size {
			return false, nil
		}
		n, err := f.part(ctx, offset+done, size-done, w)
		done += n
		if err == nil && done < size { // which a server may do
			err = io.ErrUnexpectedEOF
		}
		return n >= min(size, leastIdle), err
	})
	if written, ok := errors.AsType[errWrite](err); ok {
		return written.error
	}
	return err
}

// part asks for a part, and returns how much of it came.
func (f *File) part(ctx context.Context, offset, size int64, w io.Writer) (int64, error) {
	a, err := f.ask(ctx, rangeHeader(offset, size, f.validator))
	if err != nil {
		return 0, err
	}
	defer a.Close()
	if err := f.same(a); err != nil {
		return 0, err
	}
	start, end, total, ok := parseContentRange(a.Header.Get("Content-Range"))
	switch {
	case a.StatusCode == http.StatusOK && (a.ContentLength != f.Size || f.validatorOf(a) != f.validator):
		return 0, &ChangedError{f.URL}
	case a.StatusCode == http.StatusOK:
		return 0, &RangeError{f.URL, "gave parts of it before, and gives the whole now"}
	case ok && total != f.Size:
		return 0, &ChangedError{f.URL}
	case !ok || start != offset || end > offset+size:
		return 0, &RangeError{f.URL, fmt.Sprintf("was asked for %d bytes at %d, and answers %q", size, offset, a.Header.Get("Content-Range"))}
	}
	return f.copy(w, a, end-start)
}

// ask asks where the server sent on to before. Such places can be for a while only, as signed ones
// are: then it is asked where from now on.
func (f *File) ask(ctx context.Context, header http.Header) (*answer, error) {
	f.mu.Lock()
	at := f.at
	f.mu.Unlock()
	a, err := f.client.get(ctx, at, header, http.StatusPartialContent, http.StatusOK)
	status, ok := errors.AsType[*StatusError](err)
	if !ok || at == f.client.named || passing(status) {
		return a, err
	}
	if a, err = f.client.get(ctx, f.client.named, header, http.StatusPartialContent, http.StatusOK); err == nil {
		f.mu.Lock()
		f.at = a.Request.URL
		f.mu.Unlock()
	}
	return a, err
}

// same checks that an answer is about the file that was opened.
func (f *File) same(a *answer) error {
	etag, modified := strong(a.Header.Get("ETag")), a.Header.Get("Last-Modified")
	if f.etag != "" && etag != "" && etag != f.etag || f.etag == "" && f.modified != "" && modified != "" && modified != f.modified {
		return &ChangedError{f.URL}
	}
	return nil
}

func (f *File) validatorOf(a *answer) string {
	if f.etag != "" {
		return strong(a.Header.Get("ETag"))
	}
	return a.Header.Get("Last-Modified")
}

// copy writes what comes of an answer, at most so many bytes.
func (f *File) copy(w io.Writer, a *answer, size int64) (int64, error) {
	n, err := io.CopyBuffer(writer{w}, io.LimitReader(a.body, size), make([]byte, 64<<10))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if _, ok := errors.AsType[errWrite](err); err == nil || ok {
		return n, err
	}
	return n, f.broken(a.Request.Context(), err)
}

// broken is the error of a body that ended early.
func (f *File) broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &ConnectError{f.URL, err, true}
}

// writer tells errors of writing from those of reading.
type writer struct{ io.Writer }

func (w writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = errWrite{err}
	}
	return n, err
}

// Stream writes the file from a byte on, to what a function returns for it. Where the server gives
// no parts the first byte is 0, and it begins there again when the connection broke.
func (f *File) Stream(ctx context.Context, from int64, to func(offset int64) io.Writer) error {
	if f.Ranges {
		return f.Fetch(ctx, from, f.Size-from, to(from))
	}
	if from != 0 {
		return &RangeError{f.URL, "gives no parts of it"}
	}
	err := f.client.persist(ctx, func(ctx context.Context) (bool, error) {
		a, err := f.client.get(ctx, f.client.named, nil, http.StatusOK)
		if err != nil {
			return false, err
		}
		defer a.Close()
		if err := f.same(a); err != nil || a.ContentLength != f.Size {
			return false, &ChangedError{f.URL}
		}
		_, err = f.copy(to(0), a, f.Size)
		return false, err
	})
	if written, ok := errors.AsType[errWrite](err); ok {
		return written.error
	}
	return err
}

// ReadAt reads in blocks, which are kept: it is for tables, not for the bulk of a file.
func (f *File) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) && offset < f.Size {
		block, err := f.block(offset/blockSize, (offset+int64(len(p)-n)-1)/blockSize)
		if err != nil {
			return n, err
		}
		c := copy(p[n:], block[offset%blockSize:])
		n, offset = n+c, offset+int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// block returns a block, and reads those behind it that will be wanted, too.
func (f *File) block(i, last int64) ([]byte, error) {
	f.mu.Lock()
	b := f.blocks[i]
	end := i + 1
	for end <= last && end-i < maxBlocks/4 && f.blocks[end] == nil {
		end++
	}
	f.mu.Unlock()
	if b != nil {
		return b, nil
	}
	start := i * blockSize
	buffer := &limited{room: min(end*blockSize, f.Size) - start}
	if err := f.Fetch(f.ctx, start, buffer.room, buffer); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for at := i; at < end; at++ {
		part := buffer.bytes[(at-i)*blockSize:]
		for old := range f.blocks {
			if len(f.blocks) < maxBlocks {
				break
			}
			delete(f.blocks, old) // any
		}
		f.blocks[at] = part[:min(blockSize, len(part))]
	}
	return f.blocks[i], nil
}

// limited keeps what is written, and grows with it.
type limited struct {
	bytes []byte
	room  int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.room-int64(len(l.bytes)) {
		return 0, io.ErrShortWrite
	}
	l.bytes = append(l.bytes, p...)
	return len(p), nil
}
