package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// CI is a system that takes annotations from a job's log.
type CI string

// The systems.
const (
	GitHub      CI = "github"
	AzureDevOps CI = "azure-devops"
)

// Annotations writes the worst of the report as commands to a CI system, which
// shows them beside the run: what is critical as errors, warnings and gaps as
// warnings, and for GitHub the rest as notices. What is waived is not told. GitHub
// keeps ten of a kind for a step, so the tenth says how many more there are.
//
// Both systems read a job's stdout and its stderr alike (ScriptHandler of GitHub's
// runner; in Azure Pipelines the script tasks hand both to the agent).
func Annotations(out io.Writer, r *report.Report, ci CI) error {
	w := bufio.NewWriter(out)
	kinds := annotations(r)
	for _, kind := range []string{"error", "warning", "notice"} {
		if kind == "notice" && ci == AzureDevOps {
			break // task.logissue has no such type
		}
		const most = 10
		list := kinds[kind]
		if len(list) > most {
			rest := len(list) - (most - 1)
			list = append(list[:most-1:most-1], [2]string{"akscert", fmt.Sprintf("%d more of this kind are in the report", rest)})
		}
		for _, a := range list {
			if ci == AzureDevOps {
				fmt.Fprintf(w, "##vso[task.logissue type=%s;]%s\n", kind, azureData(a[0]+": "+a[1]))
				continue
			}
			fmt.Fprintf(w, "::%s title=%s::%s\n", kind, gitHubProperty(a[0]), gitHubData(a[1]))
		}
	}
	return w.Flush()
}

// annotations are titles and messages by kind.
func annotations(r *report.Report) map[string][][2]string {
	l := newLookup(r)
	kinds := map[string][][2]string{}
	add := func(kind, title, cluster, message string) {
		if name := l.name(cluster); name != "" {
			title += " in " + name
		}
		kinds[kind] = append(kinds[kind], [2]string{"akscert: " + title, message})
	}
	for _, f := range worstFirst(r.Findings) {
		if f.Waiver != nil {
			continue
		}
		kind := "notice"
		switch {
		case f.Severity.Rank() >= report.SeverityCritical.Rank():
			kind = "error"
		case f.Severity == report.SeverityWarning:
			kind = "warning"
		}
		message := f.Message
		if remedy, ok := l.remedies[f.RemedyID]; ok {
			message += "; what to do: " + remedy.Summary
		}
		add(kind, f.Rule, f.Cluster, message)
	}
	for _, g := range r.Gaps {
		if g.Waiver != nil {
			continue
		}
		at := string(g.Source)
		if nodes := nodesOf(g); len(nodes) > 0 {
			at += " " + few(nodes)
		}
		if g.Location != "" {
			at += " " + g.Location
		}
		add("warning", "not examined ("+string(g.Reason)+")", g.Cluster, at+": "+g.Message)
	}
	return kinds
}

// What is made visible has no line ends; the escapes for them stand here all the
// same, as the systems' own toolkits have them.

// gitHubData escapes a message as actions/toolkit does.
func gitHubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(Visible(s))
}

// gitHubProperty escapes a property as actions/toolkit does.
func gitHubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(Visible(s))
}

// azureData escapes a message as azure-pipelines-task-lib does; its agent undoes
// ; and ] in a message, too.
func azureData(s string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D").Replace(Visible(s))
}
