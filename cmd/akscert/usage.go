package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// help says what a command is for and how it is used: flags by what they are
// about, examples last, where the eye is when it is back at the prompt. On a
// terminal it fits the screen: where that is too low for a line for each flag, the
// groups that are needed least are names alone, and in the end one line says what
// the command is for. Elsewhere it is always whole.
func help(c *cobra.Command, rows int) string {
	short, long := c.Short+"\n", strings.TrimSpace(cmp.Or(c.Long, c.Short))+"\n"
	if !c.Runnable() && !c.HasSubCommands() {
		return long // a topic
	}
	whole := long + "\n" + howTo(c, 0)
	fits := func(text string) bool { return rows <= 0 || strings.Count(text, "\n") < rows } // the prompt needs one
	if fits(whole) {
		return whole
	}
	more := "\nMore of this: " + c.CommandPath() + " --help | less\n"
	text := ""
	for _, about := range []string{long, short} {
		for level := range len(groups()) + 2 {
			if text = about + more + "\n" + howTo(c, level); fits(text) {
				return text
			}
		}
	}
	return text
}

// howTo is how a command is used; level is how many groups of flags, those that
// are needed least, are named and no more, and one more for the commands below it.
func howTo(c *cobra.Command, level int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n", c.UseLine())
	if c.HasAvailableSubCommands() {
		if c.Runnable() && c.HasParent() {
			fmt.Fprintf(&b, "       %s COMMAND\n", c.CommandPath())
		}
		var subs []string
		b.WriteString("\n")
		if level <= len(groups()) {
			b.WriteString("Commands:\n")
		}
		for _, sub := range c.Commands() {
			switch {
			case !sub.IsAvailableCommand() && sub.Name() != "help":
			case level <= len(groups()):
				fmt.Fprintf(&b, "  %-*s  %s\n", c.NamePadding(), sub.Name(), sub.Short)
			default:
				subs = append(subs, sub.Name())
			}
		}
		if len(subs) > 0 {
			b.WriteString(wrapped("Commands:", subs))
		}
	}
	if topics := topicsOf(c); topics != "" {
		b.WriteString("\nTopics:\n" + topics)
	}
	if flags := flagsOf(c, level); flags != "" {
		b.WriteString("\n" + flags)
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	return b.String()
}

func topicsOf(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			fmt.Fprintf(&b, "  help %-*s  %s\n", c.NamePadding(), sub.Name(), sub.Short)
		}
	}
	return b.String()
}

const ofNone = "Flags" // those that belong to the command alone

// groups are those of --help: the first is the first to be shortened.
func groups() []string { return []string{ofLimits, ofAzure, ofOutput, ofPolicy, inScope, ofNone} }

// flagsOf are the command's flags, in groups, short of which are names alone.
func flagsOf(c *cobra.Command, short int) string {
	in := map[string][]*pflag.Flag{}
	reads := false // settings
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "config" {
			return
		}
		group := ofNone
		if o, ok := optionOf(f); ok {
			group, reads = o.group, reads || o.reach != byHand
		}
		in[group] = append(in[group], f)
	})
	if config := c.Root().PersistentFlags().Lookup("config"); reads {
		in[ofOutput] = append(in[ofOutput], config)
	} else if c.Name() == "view" || !c.HasParent() {
		in[ofNone] = append(in[ofNone], config)
	}
	var b strings.Builder
	for _, group := range []string{ofNone, inScope, ofAzure, ofPolicy, ofOutput, ofLimits} {
		switch flags := in[group]; {
		case len(flags) == 0:
		case slices.Index(groups(), group) < short:
			var all []string
			for _, f := range flags {
				all = append(all, "--"+f.Name)
			}
			b.WriteString(wrapped(group+":", all))
		default:
			fmt.Fprintf(&b, "%s:\n%s", group, lines(flags))
		}
	}
	return b.String()
}

// lines is a line for each flag.
func lines(flags []*pflag.Flag) string {
	var b strings.Builder
	typed, wide := make([]string, len(flags)), 0
	for i, f := range flags {
		typed[i] = named(f)
		wide = max(wide, len(typed[i]))
	}
	for i, f := range flags {
		_, text := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %-*s  %s%s\n", wide, typed[i], text, byDefault(f))
	}
	return b.String()
}

// wrapped is a heading and names after it.
func wrapped(heading string, names []string) string {
	const most = 80
	indent := max(len("Limits:")+1, len(heading))
	var b strings.Builder
	line := fmt.Sprintf("%-*s", indent, heading)
	for _, name := range names {
		if len(line)+1+len(name) > most {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += " " + name
	}
	return b.String() + line + "\n"
}

// named is a flag as it is typed.
func named(f *pflag.Flag) string {
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if value, _ := pflag.UnquoteUsage(f); value != "" {
		name += " " + value
	}
	return name
}

// byDefault is the flag's default in brackets; nothing for none.
func byDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "false", "0", "0s":
		return ""
	}
	value := f.DefValue
	if strings.HasSuffix(value, "m0s") { // of a duration
		value = strings.TrimSuffix(value, "0s")
	}
	return " (default " + value + ")"
}

// completeNoFiles keeps the shell from offering files where none is meant, for
// flags and operands of c and all its commands.
func completeNoFiles(c *cobra.Command) {
	files := []string{"kubeconfig", "clusters-from", "waivers", "config", "old"}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if _, offered := c.GetFlagCompletionFunc(f.Name); !offered && !slices.Contains(files, f.Name) {
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions) // fails only for a flag that is not there
		}
	})
	if !strings.Contains(c.Use, " ") {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range c.Commands() {
		completeNoFiles(sub)
	}
}
