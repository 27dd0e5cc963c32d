// Package report has what verbs find out and make, as objects for programs and as text
// for people. The names of fields are part of the product: docs/ lists them.
package report
