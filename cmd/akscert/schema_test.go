package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/akscert/akscert/pkg/report"
)

// compiledSchema is the schema of what akscert prints, as a library reads it.
var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
})

// asSchema validates every document of data, as far as it is akscert's JSON, and
// counts them. What is cut short, as of a run that was killed, is not judged.
func asSchema(data []byte) (documents int, err error) {
	schema, err := compiledSchema()
	if err != nil {
		return 0, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			return documents, nil
		}
		var head struct{ Kind, SchemaVersion string }
		if json.Unmarshal(raw, &head) != nil || !strings.HasPrefix(head.SchemaVersion, "1.") || !strings.HasPrefix(head.Kind, report.Kind) && head.Kind != report.KindVerification {
			continue
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return documents, err
		}
		documents++
		if err := schema.Validate(document); err != nil {
			return documents, fmt.Errorf("a %s is not as akscert schema says: %w", head.Kind, err)
		}
	}
}

// schemaOf requires that a file, or stdout, is as the schema says: schema FILE…
func schemaOf(ts *testscript.TestScript, neg bool, files []string) {
	for _, file := range files {
		n, err := asSchema([]byte(ts.ReadFile(file)))
		if n == 0 {
			ts.Fatalf("%s holds no document of akscert", file)
		}
		if (err != nil) != neg {
			ts.Fatalf("%s: %v", file, err)
		}
	}
}

// savedAsSchema validates what a script has saved in its folder, but for reports of
// a major version to come.
func savedAsSchema(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.*json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := asSchema(data); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	return nil
}
