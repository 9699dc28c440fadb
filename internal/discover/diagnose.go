package discover

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// line finds the place in a YAML error. Only the number is kept: the text
// around it may quote the file.
var line = regexp.MustCompile(`\bline (\d+)`)

// diagnose says what is wrong with a kubeconfig that clientcmd refused, in our
// own words and from its structure alone: no value of the file is quoted but
// the names of entries.
func diagnose(file string) string {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return "it cannot be loaded" // a pipe, already drained
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "it cannot be loaded"
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		if at := line.FindStringSubmatch(err.Error()); at != nil {
			return "not valid YAML at line " + at[1]
		}
		return "not valid YAML"
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return "not a kubeconfig"
	}
	top := root.Content[0]
	if kind := value(top, "kind"); kind != nil && kind.Value != "" && kind.Value != "Config" {
		return fmt.Sprintf("its kind is %q, not Config", kind.Value)
	}
	for _, section := range []string{"clusters", "users", "contexts"} {
		list := value(top, section)
		if list == nil {
			continue
		}
		if list.Kind != yaml.SequenceNode {
			return fmt.Sprintf("line %d: %s is not a list", list.Line, section)
		}
		seen := map[string]bool{}
		for _, entry := range list.Content {
			name := value(entry, "name")
			if name == nil {
				continue
			}
			if seen[name.Value] {
				return fmt.Sprintf("line %d: two %s are named %q", name.Line, section, name.Value)
			}
			seen[name.Value] = true
			if why := badData(entry); why != "" {
				return why
			}
		}
	}
	return "a field in it has the wrong type"
}

// badData names a …-data field that is not base64.
func badData(entry *yaml.Node) string {
	for i := 0; i+1 < len(entry.Content); i += 2 {
		key, val := entry.Content[i], entry.Content[i+1]
		if val.Kind == yaml.MappingNode {
			if why := badData(val); why != "" {
				return why
			}
		}
		if strings.HasSuffix(key.Value, "-data") && val.Kind == yaml.ScalarNode && !base64Like.MatchString(val.Value) {
			return fmt.Sprintf("line %d: %s is not base64", key.Line, key.Value)
		}
	}
	return ""
}

var base64Like = regexp.MustCompile(`^[A-Za-z0-9+/\s]*={0,2}\s*$`)

// value is the value of key in a mapping, nil without one.
func value(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
