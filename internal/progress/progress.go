// Package progress is how far a run is: one kind of [Event], which everything
// that takes long sends, and one [Sink] that takes them.
//
// A [Task] is something that is at work, alone or beside others: the building
// of a system, the writing of one disk of three. Events carry numbers and names
// of phases; what becomes of them on a screen or in a log, the sink decides.
package progress

import (
	"sync"
	"time"
)

// Sink takes events. Several goroutines may send at the same time.
type Sink interface{ Send(Event) }

// Discard takes events and does nothing with them.
var Discard Sink = discard{}

type discard struct{}

func (discard) Send(Event) {}

// Both are two sinks in one.
func Both(a, b Sink) Sink { return both{a, b} }

type both struct{ a, b Sink }

func (s both) Send(e Event) {
	s.a.Send(e)
	s.b.Send(e)
}

// Kind is what an event tells.
type Kind int

const (
	Began  Kind = iota // a task is at work, or goes on under another name
	Moved              // a task got further
	Ended              // a task is done, or failed
	Noted              // something is so that is worth a word
	Warned             // something may be wrong
)

// Event is something that happened.
type Event struct {
	Kind Kind
	Task *Task  // nil of Noted and Warned
	Name string // of what the task does, as "packing"

	Counts []Count       // of Moved
	Text   string        // of Moved: what is at work, as the last line of a build's log
	Took   time.Duration // of Ended: since Begin
	Fact   any           // of Ended: what became of the task, nil if nobody needs to know; of Noted
	Err    error         // of Ended: why it was not done; of Warned
}

// Count is how many of a number of things are done.
type Count struct {
	Of          Unit
	Done, Total int64 // a total of 0 is not known
}

// Unit is what is counted.
type Unit string

const (
	Bytes     Unit = "bytes"
	Files     Unit = "files"     // of Nix, evaluated
	Builds    Unit = "builds"    // derivations
	Paths     Unit = "paths"     // store paths, copied or downloaded
	Downloads Unit = "downloads" // bytes
)

// Task is something at work. Its methods may be called by several goroutines.
type Task struct {
	Of string // what it is about, as a file or a disk; empty if its name says all

	sink    Sink
	started time.Time

	mu   sync.Mutex
	name string
}

// Begin tells that something is at work: what is done, and to what.
func Begin(sink Sink, name, of string) *Task {
	t := &Task{Of: of, sink: sink, started: time.Now(), name: name}
	t.send(Event{Kind: Began})
	return t
}

// Do runs a step of which the result is worth telling.
func Do[Fact any](sink Sink, name, of string, step func(*Task) (Fact, error)) (Fact, error) {
	t := Begin(sink, name, of)
	fact, err := step(t)
	if err != nil {
		t.Fail(err, nil)
	} else {
		t.End(fact)
	}
	return fact, err
}

// Phase tells that the task goes on under another name. That it has already is
// nothing new.
func (t *Task) Phase(name string) {
	t.mu.Lock()
	same := t.name == name
	t.name = name
	t.mu.Unlock()
	if !same {
		t.send(Event{Kind: Began})
	}
}

// Bytes tells how many bytes of how many are done; a total of 0 is not known.
func (t *Task) Bytes(done, total int64) { t.Moved("", Count{Bytes, done, total}) }

// Moved tells how far the task is, and what is at work of it.
func (t *Task) Moved(text string, counts ...Count) {
	t.send(Event{Kind: Moved, Text: text, Counts: counts})
}

// End tells that the task is done, and returns how long it took.
func (t *Task) End(fact any) time.Duration {
	took := time.Since(t.started)
	t.send(Event{Kind: Ended, Fact: fact, Took: took})
	return took
}

// Fail tells that the task ended otherwise. The fact is nil where the error is
// that of the run, which is reported at its end.
func (t *Task) Fail(err error, fact any) {
	t.send(Event{Kind: Ended, Err: err, Fact: fact, Took: time.Since(t.started)})
}

func (t *Task) send(e Event) {
	t.mu.Lock()
	e.Task, e.Name = t, t.name
	t.mu.Unlock()
	t.sink.Send(e)
}

// Note tells something that is worth a word.
func Note(sink Sink, fact any) { sink.Send(Event{Kind: Noted, Fact: fact}) }

// Warn tells that something may be wrong.
func Warn(sink Sink, err error) { sink.Send(Event{Kind: Warned, Err: err}) }
