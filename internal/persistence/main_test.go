package persistence_test

import (
	"os"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }
