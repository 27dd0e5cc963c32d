package report

import (
	"encoding/xml"
	"os"
	"strconv"
	"strings"
)

// junitSuites is a report as CI systems read it: the XML of Ant's JUnit task, of which there is
// no specification, in the common part of what Jenkins, GitLab and others take.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"` // seconds
	Failure *junitFailure `xml:"failure"`
	Error   *junitFailure `xml:"error"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// newJUnit makes a report of the boots of an image.
func newJUnit(image string, boots []Boot) junitSuites {
	suite := junitSuite{Name: "livebuild test " + image, Tests: len(boots)}
	total := 0.0
	for _, r := range boots {
		c := junitCase{Class: image, Name: r.Way(), Time: junitSeconds(r.Seconds)}
		total += r.Seconds
		switch {
		case r.Err != nil:
			suite.Errors++
			c.Error = &junitFailure{Type: "error", Message: r.Err.Error()}
		case !r.Passed:
			suite.Failures++
			c.Failure = &junitFailure{Type: r.Outcome, Message: r.Verdict.String(), Text: strings.Join(r.Console, "\n")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = junitSeconds(total)
	return junitSuites{Suites: []junitSuite{suite}}
}

func junitSeconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }

// WriteJUnit writes a report to a file.
func WriteJUnit(path, image string, boots []Boot) error {
	data, err := xml.MarshalIndent(newJUnit(image, boots), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(xml.Header), append(data, '\n')...), 0o666)
}
