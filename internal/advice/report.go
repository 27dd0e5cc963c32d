package advice

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/qemu"
	"github.com/livebuild/livebuild/internal/report"
)

// reportHints are advice on what was found out, which is not what was hoped for.
var reportHints = []Row{
	OnValue(notBootedHint),
	OnValue(damagedHint),
	On[*report.DifferentError]("without --exit-code the status is 0 whatever differs"),
	On[*report.UnhealthyError]("below each there is what to do; --for leaves out what other verbs need"),
}

// notBootedHint is advice on the first boot that failed.
func notBootedHint(e *report.NotBootedError) string {
	r := e.Failed[0]
	outcome := r.Verdict.Outcome
	switch outcome {
	case qemu.Silent:
		return "what the firmware started never spoke: the boot loader may be damaged; see " + seen(r)
	case qemu.TimedOut:
		return "--expect takes another text than a login prompt, --test-timeout more time; see " + seen(r)
	case qemu.NoBootDevice:
		return "the firmware did not take the image for bootable: it may be damaged or cut off"
	case qemu.LoaderPrompt:
		return "the boot loader lacks its menu or a file that the menu names; see " + seen(r)
	case qemu.EmergencyShell:
		return "the first stage did not find, or could not mount, what it needs: check the volume ID and the store image; see " + seen(r)
	}
	return "see " + seen(r)
}

// seen is where a failed boot can be looked at.
func seen(r report.Boot) string {
	files := slices.DeleteFunc([]string{r.Log, r.Screenshot}, func(f string) bool { return f == "" })
	if len(files) == 0 {
		return "the lines above"
	}
	return strings.Join(files, " and ")
}

// damagedHint is advice on an image that is damaged.
func damagedHint(e *report.DamagedError) string {
	if strings.HasPrefix(e.Path, "/dev/") {
		return "write the image again; a disk that is damaged even then is broken, or not as large as it claims"
	}
	return "download or copy it again, or build it with 'livebuild iso'"
}
