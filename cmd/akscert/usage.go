package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageOf prints how a command is used: flags by what they are about, one screen
// in all, examples last, where the eye is when it is back at the prompt.
func usageOf(c *cobra.Command) error {
	out := c.OutOrStderr()
	fmt.Fprintf(out, "Usage: %s\n", c.UseLine())
	if c.HasAvailableSubCommands() {
		if c.Runnable() && c.HasParent() {
			fmt.Fprintf(out, "       %s COMMAND\n", c.CommandPath())
		}
		fmt.Fprintln(out, "\nCommands:")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(out, "  %-*s  %s\n", c.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	if topics := topicsOf(c); topics != "" {
		fmt.Fprint(out, "\nTopics:\n", topics)
	}
	if flags := groupsOf(c); flags != "" {
		fmt.Fprint(out, "\n", flags)
	}
	if c.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", c.Example)
	}
	return nil
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

// groupsOf are the command's flags, in groups.
func groupsOf(c *cobra.Command) string {
	const rest = "Flags"
	groups := map[string][]*pflag.Flag{}
	reads := false // settings
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "config" {
			return
		}
		group := rest
		if o, ok := optionOf(f); ok {
			group, reads = o.group, reads || o.reach != byHand
		}
		groups[group] = append(groups[group], f)
	})
	if config := c.Root().PersistentFlags().Lookup("config"); reads {
		groups[ofOutput] = append(groups[ofOutput], config)
	} else if c.Name() == "view" || !c.HasParent() {
		groups[rest] = append(groups[rest], config)
	}
	var b strings.Builder
	for _, group := range []string{rest, inScope, ofAzure, ofPolicy, ofOutput, ofLimits} {
		flags := groups[group]
		if len(flags) == 0 {
			continue
		}
		names, wide := make([]string, len(flags)), 0
		for i, f := range flags {
			names[i] = named(f)
			wide = max(wide, len(names[i]))
		}
		fmt.Fprintf(&b, "%s:\n", group)
		for i, f := range flags {
			_, text := pflag.UnquoteUsage(f)
			fmt.Fprintf(&b, "  %-*s  %s%s\n", wide, names[i], text, byDefault(f))
		}
	}
	return b.String()
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
