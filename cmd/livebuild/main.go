// Command livebuild makes bootable live images of NixOS configurations.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/livebuild/livebuild/internal/cli"
)

// collectAt is by how many percent memory in use grows before garbage is
// collected. Most of it are buffers, in which nothing has to be looked for, so
// that collecting often is cheap.
const collectAt = 50

func main() {
	debug.SetGCPercent(collectAt)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-ctx.Done()
		stop() // a second signal kills
	}()
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
