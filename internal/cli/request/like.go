package request

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Like takes what the flags do not say from the manifest of an image, so that what is built is like
// it. Files with modules cannot be taken from there: the error says so if the image had some, and
// no flag names any.
func (o *Options) Like(m *manifest.Manifest, images *image.Options) error {
	c := m.Changes
	if len(c.Modules) > 0 && len(o.modules) == 0 {
		return errors.New("it was made with --module " + c.Modules[0].Name + ", which is not on it")
	}
	for _, key := range c.SSHKeys {
		if !strings.Contains(key, " ") { // which a flag takes for the name of a file of this machine
			return fmt.Errorf("it names %q as a key for SSH, which is none", key)
		}
	}
	o.noLive = o.noLive || c.NoLive
	o.mediaCheck = o.mediaCheck || c.MediaCheck
	o.loopback = o.loopback && !c.NoLoopback
	if o.persistent == "" {
		o.persistent = c.Persistent
	}
	if o.variant == "" {
		o.variant = c.Variant
	}
	if o.volumeID == "" {
		o.volumeID = c.VolumeID
	}
	for _, list := range []struct {
		flag *[]string
		was  []string
	}{{&o.kernelParams, c.KernelParams}, {&o.sshKeys, c.SSHKeys}, {&o.staticIPs, c.StaticIPs}} {
		if len(*list.flag) == 0 {
			*list.flag = list.was
		}
	}
	if err := o.install.like(c.Install, c.InstallSource); err != nil {
		return err
	}
	o.stampParams = o.stampParams || m.Settings.StampParams
	if m.Settings.StampArea != image.DefaultStampArea { // which it has by itself
		images.StampArea = &m.Settings.StampArea
	}
	images.Default = m.Default
	images.Epoch = time.Unix(m.Settings.Epoch, 0)
	if o.compression == "" {
		settings, err := codec.Parse(m.Settings.Compression)
		if err != nil {
			return err
		}
		images.Compression = &settings
	}
	return nil
}
