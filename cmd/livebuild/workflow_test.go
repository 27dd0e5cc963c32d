package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestWorkflows lints the workflows of the documentation: GitHub's by actionlint, GitLab's by
// GitLab's schema, of which testdata has a copy.
func TestWorkflows(t *testing.T) {
	text := readFile(t, "testdata/gitlab-ci.schema.json")
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("gitlab-ci.schema.json", schema); err != nil {
		t.Fatal(err)
	}
	gitlab, err := compiler.Compile("gitlab-ci.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	linted := map[string]int{}
	for _, b := range codeBlocks(t) {
		if b.kind != "yaml" {
			continue
		}
		if strings.Contains(b.code, "\njobs:\n") {
			linted["GitHub"]++
			for _, fault := range lintWorkflow(t, b.code) {
				t.Errorf("%v: %v", b, fault)
			}
			continue
		}
		linted["GitLab"]++
		if err := checkPipeline(t, gitlab, b.code); err != nil {
			t.Errorf("%v: %v", b, err)
		}
	}
	if linted["GitHub"] == 0 || linted["GitLab"] == 0 {
		t.Errorf("the documentation has %v", linted)
	}

	// What is wrong is found.
	if len(lintWorkflow(t, "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.nothing }}\n")) == 0 {
		t.Error("actionlint finds nothing")
	}
	if checkPipeline(t, gitlab, "image:\n  script: [a]\n  artifacts:\n    reports:\n      junit: {a: b}\n") == nil {
		t.Error("the schema of GitLab finds nothing")
	}
}

func lintWorkflow(t *testing.T, code string) []*actionlint.Error {
	t.Helper()
	var out bytes.Buffer
	linter, err := actionlint.NewLinter(&out, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	faults, err := linter.Lint("image.yml", []byte(code), nil)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// checkPipeline holds a pipeline against a schema, which is about JSON.
func checkPipeline(t *testing.T, schema *jsonschema.Schema, code string) error {
	t.Helper()
	var pipeline any
	if err := yaml.Unmarshal([]byte(code), &pipeline); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(pipeline)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}
