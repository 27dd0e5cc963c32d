package progress

import (
	"errors"
	"reflect"
	"testing"
)

type list struct{ events []Event }

func (l *list) Send(e Event) {
	e.Task, e.Took = nil, 0
	l.events = append(l.events, e)
}

func TestDo(t *testing.T) {
	broken := errors.New("broken")
	var l list
	got, err := Do(&l, "building", "", func(t *Task) (int, error) {
		t.Moved("gcc", Count{Builds, 1, 2})
		return 2, nil
	})
	if got != 2 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := Do(&l, "packing", "", func(t *Task) (int, error) { t.Bytes(5, 10); return 7, broken }); err != broken {
		t.Errorf("the error is %v", err)
	}
	want := []Event{
		{Kind: Began, Name: "building"},
		{Kind: Moved, Name: "building", Text: "gcc", Counts: []Count{{Builds, 1, 2}}},
		{Kind: Ended, Name: "building", Fact: 2},
		{Kind: Began, Name: "packing"},
		{Kind: Moved, Name: "packing", Counts: []Count{{Bytes, 5, 10}}},
		{Kind: Ended, Name: "packing", Err: broken},
	}
	if !reflect.DeepEqual(l.events, want) {
		t.Errorf("%+v\nwant %+v", l.events, want)
	}
}

// A phase that goes on is told once.
func TestPhase(t *testing.T) {
	var l list
	task := Begin(&l, "writing", "/dev/sdx")
	for _, name := range []string{"writing", "syncing", "syncing", "verifying"} {
		task.Phase(name)
	}
	task.End(nil)
	var names []string
	for _, e := range l.events {
		names = append(names, e.Name)
	}
	if want := []string{"writing", "syncing", "verifying", "verifying"}; !reflect.DeepEqual(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestDiscard(t *testing.T) {
	if took := Begin(Discard, "packing", "").End(nil); took < 0 {
		t.Errorf("it took %s", took)
	}
}

func TestBoth(t *testing.T) {
	var a, b list
	Note(Both(&a, &b), "said")
	if len(a.events) != 1 || !reflect.DeepEqual(a.events, b.events) {
		t.Errorf("%+v and %+v", a.events, b.events)
	}
}
