package hybridiso

import (
	"testing"
	"os"
)

func TestQuick(t *testing.T) {
	p, r := writeImage(t, sampleImage(t), streamOf(sampleStream))
	t.Log(r)
	b,_ := os.ReadFile(p)
	os.MkdirAll("/var/tmp/hiso", 0o755)
	os.WriteFile("/var/tmp/hiso/a.iso", b, 0o644)
}
