package net

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livebuild/livebuild/internal/cli/face"
	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/netboot"
)

// usualListen is where files are given out: to all of the network.
const usualListen = ":8080"

type serveOptions struct{ listen string }

// Serve is the verb.
func Serve(app *face.App) *cobra.Command {
	v := verbs{app}
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve FOLDER|SCRIPT [flags]",
		Short: "Give out a folder for network boots by HTTP",
		Long: `Give out the files of a folder that 'livebuild netboot' made by HTTP, until it is
ended with ctrl-c, or those beside a script for iPXE of anyone's. Nothing outside of
the folder is given out: not what links lead to.

What to type into iPXE is printed, and what dnsmasq needs to have firmware load iPXE,
and iPXE this: a DHCP server and TFTP are its part. Firmware needs no more than that of
a web server; nginx and others do as well.`,
		Example: `  livebuild serve netboot/
  livebuild serve netboot/ --listen 192.0.2.1:80`,
		Args: func(_ *cobra.Command, args []string) error {
			return face.CheckOne(args, "which folder? one that 'livebuild netboot' made is missing", "one folder is wanted, not %d")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.runServe(cmd.Context(), args[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.listen, "listen", usualListen, "give out at `ADDRESS:PORT`; without an address at all of this machine, port 0 takes any that is free")
	return cmd
}

// listenError says that files cannot be given out at an address.
type listenError struct {
	at  string
	err error
}

func (e *listenError) Error() string { return fmt.Sprintf("giving out files at %s: %v", e.at, e.err) }
func (e *listenError) Unwrap() error { return e.err }

func (v verbs) runServe(ctx context.Context, path string, opts serveOptions) error {
	if err := checkListen(opts.listen); err != nil {
		return face.Usage(err)
	}
	folder, err := netboot.Open(path)
	if err != nil {
		return err
	}
	server, err := netboot.NewServer(folder.Path, v.tell)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.listen)
	if err != nil {
		return &listenError{opts.listen, err}
	}
	urls, err := netboot.URLs(listener.Addr(), folder.Script)
	if err != nil {
		return err
	}
	for _, url := range urls {
		if err := v.Console.Result(v.Out, "chain "+url); err != nil {
			return err
		}
	}
	v.Console.Line("that is to be typed into iPXE, which ctrl-b interrupts. Lines for dnsmasq, with iPXE's files in /srv/tftp:")
	v.Console.Line("  " + strings.Join(netboot.Dnsmasq(urls[0]), "\n  "))
	v.Console.Line("end with ctrl-c")
	return server.Serve(ctx, listener)
}

// checkListen refuses what is no address with a port.
func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err == nil && host != "" {
		_, err = netip.ParseAddr(host)
	}
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("--listen needs ADDRESS:PORT, as in 192.0.2.1:8080 or :8080, not %q", text)
	}
	return nil
}

// tell tells of a request.
func (v verbs) tell(r netboot.Request) {
	text := fmt.Sprintf("%s %s %q: %d", r.Client, r.Method, r.Path, r.Status)
	if r.Bytes > 0 {
		text += ", " + human.Size(r.Bytes)
	}
	v.Console.Line(text)
}
