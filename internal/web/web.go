// Package web reads a file of a web server as if it were on a disk: in parts, wherever they are
// (RFC 9110 §14, range requests), going on where the connection broke, and never taking parts of
// two files for one.
//
// A server is not trusted. What it says of itself bounds nothing here; that bytes are the right
// ones, whoever asked for them has to know.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how files are read. The zero value is a good choice.
type Options struct {
	// Header goes to the host that a user named and to no other that it sends on to: it can hold
	// credentials.
	Header http.Header
	// Password returns what netrc(5) has for a host; nil: nothing.
	Password func(host string) (user, password string, ok bool)
	// Proxy is as in [http.Transport]; nil: none.
	Proxy     func(*http.Request) (*url.URL, error)
	UserAgent string

	// Connections bounds how many requests are under way at a time, by default 4.
	Connections int
	// Idle is how long a server may give nothing, or next to it, by default 30 s. How long a whole
	// file takes has no bound.
	Idle time.Duration
	// Tries is how often something is asked for without getting further, by default 6.
	Tries int
	// Pause is what there is before a second try, by default half a second; each further one is
	// twice as long, up to 30 s, or what the server asks for.
	Pause time.Duration

	// Received, if set, is told how many bytes came, by several goroutines.
	Received func(bytes int)
}

const (
	maxPause  = 30 * time.Second
	maxAsked  = 2 * time.Minute // that a server may have wait (Retry-After)
	connectIn = 15 * time.Second

	// leastIdle is what has to come while a server counts as not idle, in bytes.
	leastIdle = 1024

	maxRedirects = 10
)

func (o Options) complete() Options {
	if o.Connections <= 0 {
		o.Connections = 4
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Second
	}
	if o.Tries <= 0 {
		o.Tries = 6
	}
	if o.Pause <= 0 {
		o.Pause = time.Second / 2
	}
	if o.Received == nil {
		o.Received = func(int) {}
	}
	return o
}

// client asks on behalf of one URL that a user named.
type client struct {
	options Options
	http    *http.Client
	named   *url.URL
	slots   chan struct{} // one for each request under way

	mu      sync.Mutex
	reached bool // something has answered
}

// Is says whether a text is meant as the URL of a file on a web server.
func Is(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

func newClient(address string, opts Options) (*client, error) {
	named, err := url.Parse(address)
	if err != nil || !Is(address) || named.Hostname() == "" {
		return nil, &AddressError{address}
	}
	opts = opts.complete()
	c := &client{options: opts, named: named, slots: make(chan struct{}, opts.Connections)}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:               opts.Proxy,
			DialContext:         (&net.Dialer{Timeout: connectIn, KeepAlive: connectIn}).DialContext,
			TLSHandshakeTimeout: connectIn,
			ForceAttemptHTTP2:   true,
			DisableCompression:  true, // a range of a compressed file is none of the file
			MaxIdleConnsPerHost: opts.Connections,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: c.redirect,
	}
	return c, nil
}

// close gives the connections back.
func (c *client) close() { c.http.CloseIdleConnections() }

// redirect prepares a request to where a server sends on to.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return &RedirectError{shown(c.named), "is sent on more than " + strconv.Itoa(maxRedirects) + " times"}
	}
	if last := via[len(via)-1].URL; last.Scheme == "https" && req.URL.Scheme != "https" {
		return &RedirectError{shown(c.named), "is sent on from https to " + shown(req.URL)}
	}
	c.dress(req)
	return nil
}

// dress gives a request its headers: what a user gave for one host is for no other.
func (c *client) dress(req *http.Request) {
	own := req.URL.Host == c.named.Host && req.URL.Scheme == c.named.Scheme
	for name, values := range c.options.Header {
		req.Header.Del(name)
		if own {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	req.Header.Del("Referer") // which has the queries of signed URLs
	req.Header.Set("User-Agent", c.options.UserAgent)
	req.Header.Set("Accept-Encoding", "identity")
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if req.Header.Get("Authorization") != "" || req.URL.User != nil || c.options.Password == nil {
		return
	}
	if user, password, ok := c.options.Password(req.URL.Hostname()); ok {
		req.SetBasicAuth(user, password)
	}
}

// answer is what came of a request, of which the body is still to be read. It has to be closed.
type answer struct {
	*http.Response
	body io.Reader // fails if it comes too slowly
	done func()
}

func (a *answer) Close() error {
	err := a.Response.Body.Close()
	a.done()
	return err
}

// get asks once. An answer that is none of the wanted statuses is a [*StatusError].
func (c *client) get(ctx context.Context, at *url.URL, header http.Header, wanted ...int) (*answer, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	free := func() { <-c.slots }
	ctx, watch := c.watch(ctx, shown(at))
	done := func() { watch.stop(); free() }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		done()
		return nil, &AddressError{shown(at)}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	c.dress(req)
	resp, err := c.http.Do(req)
	if err != nil {
		err = c.explain(ctx, at, err)
		done()
		return nil, err
	}
	c.mu.Lock()
	c.reached = true
	c.mu.Unlock()
	a := &answer{resp, &watched{resp.Body, watch, c.options.Received}, done}
	for _, status := range wanted {
		if resp.StatusCode != status {
			continue
		}
		if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return nil, errors.Join(&EncodingError{shown(at), encoding}, a.Close())
		}
		return a, nil
	}
	failed := &StatusError{URL: shown(at), Code: resp.StatusCode, wait: retryAfter(resp.Header)}
	_ = a.Close()
	return nil, failed
}

// explain says in which way a request failed that got no answer.
func (c *client) explain(ctx context.Context, at *url.URL, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if own, ok := errors.AsType[*RedirectError](err); ok {
		return own
	}
	var outer *url.Error // which has the whole URL, with what is secret of it
	if errors.As(err, &outer) {
		err = outer.Err
		if to, parsed := url.Parse(outer.URL); parsed == nil && to.Host != "" {
			at = to
		}
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	if errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch) {
		return &TLSError{at.Host, err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &ConnectError{shown(at), err, c.reached}
}

// retryAfter is how long a server wants to be left alone (RFC 9110 §10.2.3).
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), maxAsked)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, time.Until(at)), maxAsked)
	}
	return 0
}

// persist tries until it is done, or it is not worth it any more. The function says whether it got
// further.
func (c *client) persist(ctx context.Context, try func(context.Context) (further bool, err error)) error {
	pause := c.options.Pause
	for tries := 1; ; tries++ {
		further, err := try(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || !passing(err) {
			return err
		}
		if further {
			tries, pause = 1, c.options.Pause
		}
		if tries >= c.options.Tries {
			return &GaveUpError{tries, err}
		}
		wait := pause/2 + rand.N(pause) // not all clients at once
		if status, ok := errors.AsType[*StatusError](err); ok && status.wait > 0 {
			wait = status.wait
		}
		pause = min(2*pause, maxPause)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Get reads a small file whole: at most so many bytes.
func Get(ctx context.Context, address string, most int64, opts Options) (text []byte, err error) {
	c, err := newClient(address, opts)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return text, c.persist(ctx, func(ctx context.Context) (bool, error) {
		a, err := c.get(ctx, c.named, nil, http.StatusOK)
		if err != nil {
			return false, err
		}
		text, err = io.ReadAll(io.LimitReader(a.body, most+1))
		_ = a.Close()
		if err == nil && int64(len(text)) > most {
			err = &SizeError{shown(c.named), fmt.Sprintf("has more than %d bytes", most)}
		}
		return false, err
	})
}

// shown is a URL as people may see it: without passwords, and without the query, in which signed
// URLs have their signature.
func shown(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return plain.String()
}
