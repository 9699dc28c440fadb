package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/collect/node"
)

func nodeScriptCommand(s streams) *cobra.Command {
	var system string
	c := &cobra.Command{
		Use:   "node-script",
		Short: "print the script that an audit runs on nodes",
		Long: `Node-script prints what an audit runs as root on every node, by run-command: it
only reads. Without the right to run commands, run it yourself and hand what it
prints to akscert inspect.`,
		Example: `  akscert node-script | less
  akscert node-script | ssh NODE sudo sh -s | akscert inspect -
  akscert node-script --os windows > probe.ps1`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("--os", system, "linux", "windows"); err != nil {
				return err
			}
			_, err := fmt.Fprint(s.out, node.Script(system))
			return err
		},
	}
	c.Flags().StringVar(&system, "os", "linux", "the node's operating system: linux or windows")
	complete(c, "os", "linux", "windows")
	return c
}
