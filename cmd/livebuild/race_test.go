//go:build race

package main

// With the race detector in the tests, the program has it too.
func init() { buildFlags = append(buildFlags, "-race") }
