package codec

import (
	"bytes"
	"os"
	"testing"
)

func TestX86Calls(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe") // of this machine, which the next line looks at
	if err != nil {
		t.Fatal(err)
	}
	const machine, x86 = 0x12, "\x3e\x00" // e_machine in the ELF header, EM_X86_64
	if string(program[machine:machine+2]) == x86 {
		if got := x86Calls(program[0x1000:0x80000]); got != many {
			t.Errorf("machine code is %v, want many", got)
		}
	}
	for name, p := range map[string][]byte{
		"nothing": nil,
		"zeros":   make([]byte, 1<<16),
		"text":    bytes.Repeat([]byte("call me maybe\n"), 4096),
		"opcodes": bytes.Repeat([]byte{0xe8}, 1<<16),
	} {
		if got := x86Calls(p); name != "nothing" && got != few {
			t.Errorf("%s are %v, want few", name, got)
		}
	}
	call := []byte{0xe8, 1, 2, 3, 0}
	if got := x86Calls(bytes.Repeat(call, 100)); got != many {
		t.Errorf("calls are %v, want many", got)
	}
}
