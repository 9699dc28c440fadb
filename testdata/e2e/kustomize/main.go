// Command kustomize prints the objects that a folder with a kustomization makes,
// as JSON, one a line. It is the library that kubectl has, in a module of its own
// so that what it needs stays out of the tests'.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "kustomize: error:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return err
	}
	for _, o := range objects.Resources() {
		data, err := o.MarshalJSON()
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", data)
	}
	return nil
}
