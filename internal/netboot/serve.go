package netboot

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// Request is one that was answered.
type Request struct {
	Client string // address
	Method string
	Path   string
	Status int
	Bytes  int64 // of the answer
}

// Server gives out the files of a folder, and nothing else: what a link in it leads to outside is not there.
type Server struct {
	root   *os.Root
	server *http.Server
}

// Limits of a server: a client that says nothing, or takes nothing, is not waited for.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	closeTime  = 3 * time.Second
	maxHeader  = 16 << 10 // bytes
)

// NewServer opens a folder. Done, which may be nil, is called with each request that was answered, by several at
// once.
func NewServer(folder string, done func(Request)) (*Server, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	if done == nil {
		done = func(Request) {}
	}
	files := http.FileServerFS(regular{root.FS()})
	s := &Server{root: root}
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := &answer{ResponseWriter: w, status: http.StatusOK}
			defer func() {
				client, _, _ := net.SplitHostPort(r.RemoteAddr)
				done(Request{client, r.Method, r.URL.Path, answer.status, answer.bytes})
			}()
			switch {
			case r.Method != http.MethodGet && r.Method != http.MethodHead:
				w.Header().Set("Allow", "GET, HEAD")
				http.Error(answer, "files can be read here", http.StatusMethodNotAllowed)
			case strings.HasSuffix(r.URL.Path, "/") || hidden(r.URL.Path):
				http.NotFound(answer, r)
			default:
				files.ServeHTTP(answer, r)
			}
		}),
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
	}
	return s, nil
}

// Serve answers until ctx ends, which is no error: who is being answered then has some seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if s.server.Shutdown(grace) != nil {
			_ = s.server.Close() // whose connections end either way
		}
	})
	err := s.server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.root.Close())
}

// hidden reports whether a path leads through a name that begins with a dot.
func hidden(p string) bool { return strings.Contains(path.Clean("/"+p), "/.") }

// regular is the regular files of a file system.
type regular struct{ fs.FS }

func (r regular) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil { // whatever it is, it is not there for others
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}, f.Close())
	}
	return f, nil
}

// answer notes what is answered.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}
