package cli

import "fmt"

// words is a fact as people read it.
func words(fact any) string { return fmt.Sprint(fact) }
