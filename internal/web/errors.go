package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// AddressError says that something is no URL of a file on a web server.
type AddressError struct{ Text string }

func (e *AddressError) Error() string { return fmt.Sprintf("%q is no URL of a web server", e.Text) }

// ConnectError says that a server was not reached, or that the connection to it broke.
type ConnectError struct {
	URL    string
	Err    error
	before bool // it had been reached before
}

func (e *ConnectError) Error() string { return fmt.Sprintf("reading %s: %v", e.URL, e.Err) }
func (e *ConnectError) Unwrap() error { return e.Err }

// TLSError says that it is not certain that a server is the one that was meant.
type TLSError struct {
	Host string
	Err  error
}

func (e *TLSError) Error() string {
	return fmt.Sprintf("no secure connection to %s: %v", e.Host, e.Err)
}
func (e *TLSError) Unwrap() error { return e.Err }

// StatusError says that a server did not give what it was asked for.
type StatusError struct {
	URL  string
	Code int // RFC 9110 §15
	wait time.Duration
}

func (e *StatusError) Error() string {
	text := http.StatusText(e.Code)
	if text == "" {
		text = "a status of its own"
	}
	return fmt.Sprintf("%s: the server answers %d, %s", e.URL, e.Code, text)
}

// HTMLError says that there is a web page where a file was expected: many networks show one before
// they let anybody through, many servers show one instead of 404.
type HTMLError struct{ URL string }

func (e *HTMLError) Error() string { return e.URL + " is a web page, and no image" }

// ChangedError says that a file is not any more what it was when its reading began.
type ChangedError struct{ URL string }

func (e *ChangedError) Error() string { return e.URL + " changed while it was read" }

// EncodingError says that a server compresses what it was asked for as it is.
type EncodingError struct{ URL, Encoding string }

func (e *EncodingError) Error() string {
	return fmt.Sprintf("%s comes compressed by the server (Content-Encoding: %s), of which no part can be read", e.URL, e.Encoding)
}

// RangeError says that a server gives other bytes than it was asked for.
type RangeError struct{ URL, Reason string }

func (e *RangeError) Error() string { return e.URL + ": the server " + e.Reason }

// RedirectError says that a server sends on to where nobody should follow.
type RedirectError struct{ URL, Reason string }

func (e *RedirectError) Error() string { return e.URL + " " + e.Reason }

// SizeError says that a file has no size, or one that cannot be.
type SizeError struct{ URL, Reason string }

func (e *SizeError) Error() string { return e.URL + " " + e.Reason }

// StalledError says that a server gave next to nothing for too long.
type StalledError struct {
	URL   string
	After time.Duration
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("%s: the server gave nothing for %s", e.URL, e.After)
}

// GaveUpError says that something failed again and again.
type GaveUpError struct {
	Tries int
	Err   error
}

func (e *GaveUpError) Error() string { return fmt.Sprintf("%v (%d times)", e.Err, e.Tries) }
func (e *GaveUpError) Unwrap() error { return e.Err }

// errWrite wraps an error of where bytes go.
type errWrite struct{ error }

func (e errWrite) Unwrap() error { return e.error }

// passing says whether an error may be gone at the next try.
func passing(err error) bool {
	var (
		written errWrite
		status  *StatusError
		connect *ConnectError
		stalled *StalledError
		network net.Error
	)
	switch {
	case errors.As(err, &written):
		return false
	case errors.As(err, &status):
		switch status.Code {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	case errors.As(err, &stalled):
		return true
	case errors.As(err, &connect):
		// Whoever was never reached has another name, or is not there.
		return connect.before || errors.As(err, &network) && network.Timeout()
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) && !errors.Is(err, context.Canceled)
}

// Failed says whether an error is one of reading from a server.
func Failed(err error) bool {
	var (
		connect *ConnectError
		status  *StatusError
		stalled *StalledError
		changed *ChangedError
		other   *RangeError
		tls     *TLSError
		encoded *EncodingError
		sent    *RedirectError
	)
	return errors.As(err, &connect) || errors.As(err, &status) || errors.As(err, &stalled) || errors.As(err, &changed) ||
		errors.As(err, &other) || errors.As(err, &tls) || errors.As(err, &encoded) || errors.As(err, &sent)
}
