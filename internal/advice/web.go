package advice

import (
	"fmt"
	"net/http"

	"github.com/livebuild/livebuild/internal/index"
	"github.com/livebuild/livebuild/internal/transfer"
	"github.com/livebuild/livebuild/internal/web"
)

// webHints are advice on servers.
var webHints = []Row{
	On[*web.AddressError]("a URL begins with https:// or http:// and a host"),
	OnValue(func(e *web.StatusError) string { return statusHint(e.Code) }),
	On[*web.TLSError]("check the clock of this machine, and whether a network in between asks to sign in first; SSL_CERT_FILE names further authorities, as a company's"),
	On[*web.HTMLError]("open the URL in a browser: a network may ask to sign in first, or the link leads to a page about the file instead of the file"),
	On[*web.ChangedError]("run the same command again: it takes the new image, and what it has in common with what was downloaded"),
	On[*web.EncodingError]("have the server leave images as they are (nginx: gzip off for them), or look for a proxy in between that compresses"),
	On[*web.RangeError]("the server, or a cache in between, is at fault; run the same command again later, or take another mirror"),
	On[*web.RedirectError]("give the URL that it leads to, if that is the one that is meant"),
	On[*web.SizeError]("an image has a size: look whether the URL leads to a file"),
	On[*web.StalledError](goOn),
	On[*web.ConnectError]("check the name and this machine's network; behind a proxy set HTTPS_PROXY. " + goOn),
	On[*web.GaveUpError](goOn),
}

const goOn = "the same command goes on where it was"

// statusHint is advice on a status (RFC 9110 §15).
func statusHint(code int) string {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the server wants to know who asks, or a signed link has expired: --header 'Authorization: …', or a line in ~/.netrc"
	case http.StatusProxyAuthRequired:
		return "give the proxy's user and password in HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"
	case http.StatusNotFound, http.StatusGone:
		return "check the URL; an image of an earlier release may have gone"
	case http.StatusRequestedRangeNotSatisfiable:
		return "the file is empty or has become shorter: run the same command again"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "wait a while; " + goOn
	}
	if code >= http.StatusInternalServerError {
		return "the server is at fault; " + goOn
	}
	return "check the URL"
}

// transferHints are advice on downloads.
var transferHints = []Row{
	OnErr(index.ErrNone, "images that livebuild makes from now on have one; all others are taken as a whole"),
	On[*transfer.BusyError]("wait for it; what it downloads is not downloaded twice"),
	OnValue(func(e *transfer.FullError) string {
		return fmt.Sprintf("make room, and the same command goes on; %s has what there is so far", e.Path)
	}),
	On[*transfer.CorruptError]("the server, or a cache in between, is at fault: take another mirror, or run the same command again later, which goes on where it was"),
}
