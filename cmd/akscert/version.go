package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/pkg/report"
)

func versionCommand(s streams) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Example: `  akscert version
  akscert version -o json
  akscert version -o json | jq -r .schemaVersion`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("--output", output, "text", "json"); err != nil {
				return err
			}
			v := struct {
				Version       string `json:"version"`
				Go            string `json:"go"`
				Platform      string `json:"platform"`
				SchemaVersion string `json:"schemaVersion"`
			}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, report.SchemaVersion}
			if output == "json" {
				return json.NewEncoder(s.out).Encode(v)
			}
			_, err := fmt.Fprintf(s.out, "akscert %s (%s, %s, report schema %s)\n", v.Version, v.Go, v.Platform, v.SchemaVersion)
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "print a `FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

// version is the module's, as the Go command stamped it; "devel" for a build
// from a work tree.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
