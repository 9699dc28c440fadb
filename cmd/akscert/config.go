package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/settings"
)

// here is the file of the working directory, and configVariable names another.
const (
	here           = ".akscert.yaml"
	configVariable = "AKSCERT_CONFIG"
)

// from is the annotation of a flag that was not given by hand: where its value is
// from.
const from = "akscert.from"

// configure gives the command's flags what the environment and the files say.
func configure(s streams, c *cobra.Command) error {
	configurable := false
	c.Flags().VisitAll(func(f *pflag.Flag) {
		o, ok := optionOf(f)
		configurable = configurable || ok && o.reach != byHand && (o.key != "output" || takesFormats(c.Name()))
	})
	if !configurable {
		return nil // what --config says has nothing to say to version
	}
	holds, problems := settled(c, os.LookupEnv)
	if len(problems) > 0 {
		more := ""
		if n := len(problems) - 1; n > 0 {
			more = fmt.Sprintf("; akscert config view tells %d more", n)
		}
		return hinted{problems[0], cmp.Or(problems[0].Hint, "akscert help config") + more}
	}
	said, files := map[string][]string{}, []string{}
	for _, o := range options() {
		h, ok := holds[o.key]
		if !ok {
			continue
		}
		if err := o.apply(c, h); err != nil {
			return err
		}
		if h.Here {
			file := h.From[:strings.LastIndexByte(h.From, ':')]
			if said[file] == nil {
				files = append(files, file)
			}
			said[file] = append(said[file], o.key)
		}
	}
	if quiet, _ := c.Flags().GetBool("quiet"); !quiet {
		for _, file := range files {
			fmt.Fprintf(s.err, "akscert: note: %s sets %s; see akscert config view\n", render.Visible(file), strings.Join(said[file], ", "))
		}
	}
	return nil
}

// apply sets the flag to what holds, and remembers where it is from.
func (o option) apply(c *cobra.Command, s settings.Setting) error {
	f := c.Flags().Lookup(o.key)
	if s.From == "AKSCERT_SUBSCRIPTION" {
		return nil // internal/azure reads it, and says so
	}
	if err := o.set(f, s.Values); err != nil {
		return hinted{fmt.Errorf("%s: %s: %w", s.From, o.key, err), "akscert help config"}
	}
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[from] = []string{s.From}
	return nil
}

// settled is what holds for the flags of c that were not given by hand, and all
// that is wrong with the environment and the files.
func settled(c *cobra.Command, env func(string) (string, bool)) (map[string]settings.Setting, []*settings.Problem) {
	given := func(key string) bool {
		f := c.Flags().Lookup(key)
		return f != nil && f.Changed
	}
	variables, problems := readEnvironment(c, env)
	layers := [][]settings.Setting{variables}
	files, more := readFiles(c, env)
	problems = append(problems, more...)
	for _, file := range files {
		layers = append(layers, slices.DeleteFunc(file, func(s settings.Setting) bool {
			f := c.Flags().Lookup(s.Key)
			if f == nil || s.Key == "output" && !takesFormats(c.Name()) {
				return true
			}
			_, ok := optionOf(f)
			return !ok
		}))
	}
	// A kubeconfig or a subscription that is named by hand is an answer to which
	// clusters, too.
	answered := given("kubeconfig") || given("subscription")
	holds := settings.Resolve(layers, given, chooses(), answered)
	if all, ok := holds["all-subscriptions"]; given("all-subscriptions") || ok && isTrue(all.Values[0]) {
		delete(holds, "subscription") // it only says where to look by default
	}
	return holds, problems
}

func isTrue(v string) bool { b, _ := strconv.ParseBool(v); return b }

// readEnvironment reads AKSCERT_* for the flags of c.
func readEnvironment(c *cobra.Command, env func(string) (string, bool)) (found []settings.Setting, problems []*settings.Problem) {
	for _, o := range options() {
		f := c.Flags().Lookup(o.key)
		if f == nil || f.Value.Type() != o.kind || o.key == "config" || o.key == "output" && !takesFormats(c.Name()) {
			continue
		}
		value, set := env(o.variable())
		wrong := func(hint, format string, args ...any) {
			problems = append(problems, &settings.Problem{At: o.variable(), Message: fmt.Sprintf(format, args...), Hint: hint})
		}
		switch {
		case !set:
			continue
		case value == "" && slices.Contains(chooses(), o.key):
			// As for the flag: an empty variable of a CI job must not turn the
			// audit to whatever cluster is at hand.
			wrong("is a variable not set that it was given from? unset it to choose nothing by it", "it is empty")
			continue
		case value == "":
			continue // as a CI job has it for what was not filled in
		case o.reach == byHand:
			wrong("unset it: "+o.why, "--%s is not for the environment", o.key)
			continue
		}
		s := settings.Setting{Key: o.key, Values: []string{value}, IsBool: o.kind == "bool", From: o.variable()}
		if o.isList() && o.key != "subscription" { // which is one, whose name may have a comma
			words, err := settings.Split(value)
			if err != nil {
				wrong("entries are separated by commas", "%s", err)
				continue
			}
			s.Values = words
		}
		if err := o.fits(s); err != nil {
			problems = append(problems, problem(o.variable(), "", err))
			continue
		}
		found = append(found, s)
	}
	return found, problems
}

// readFiles reads the files, the strongest first.
func readFiles(c *cobra.Command, env func(string) (string, bool)) (layers [][]settings.Setting, problems []*settings.Problem) {
	add := func(name string, data []byte, err error, isHere bool) {
		var bad *settings.Problem
		switch {
		case errors.As(err, &bad):
			problems = append(problems, bad)
		case err != nil:
			problems = append(problems, &settings.Problem{At: name, Message: "the settings cannot be read: " + collect.Cause(err).Error(),
				Hint: "make it readable, or do without files: --config none"})
		default:
			found, wrong := settings.Parse(name, data)
			kept, refused := allow(found, isHere)
			layers, problems = append(layers, kept), append(append(problems, wrong...), refused...)
		}
	}
	named, asked := env(configVariable)
	by := configVariable
	if f := c.Flags().Lookup("config"); f != nil && f.Changed {
		named, asked, by = f.Value.String(), true, "--config"
	}
	switch {
	case asked && named == "":
		// Else a file of the working directory would stand in for the one meant.
		return nil, []*settings.Problem{{At: by, Message: "it is empty", Hint: "name a file, or none; is a variable not set that it was given from?"}}
	case asked && named == "none":
		return nil, nil
	case asked:
		data, err := settings.Named(named)
		add(named, data, err, false)
		return layers, problems
	}
	if data, err := settings.Found(here); !absent(err) {
		add(here, data, err, true)
	}
	dir, err := os.UserConfigDir()
	if err != nil && os.Getenv("XDG_CONFIG_HOME") == "" {
		return layers, problems // nobody's home, as in a container
	}
	if err != nil {
		add("XDG_CONFIG_HOME", nil, err, false)
		return layers, problems
	}
	own := filepath.Join(dir, "akscert", "config.yaml")
	if data, isHere, err := readOwn(own); !absent(err) {
		add(own, data, err, isHere)
	}
	return layers, problems
}

// readOwn reads the user's own file. One in the working directory or below it may
// have come with what was cloned there, when HOME is that directory: it is no
// more trusted than the other one there.
func readOwn(path string) (data []byte, isHere bool, err error) {
	if _, err := os.Lstat(path); absent(err) {
		return nil, false, err
	}
	if !filepath.IsAbs(path) {
		return nil, false, &settings.Problem{At: path, Message: "your configuration directory is relative, and so anybody's whose directory it is run in",
			Hint: "set HOME to an absolute path, or do without files: --config none"}
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, false, err
	}
	written, resolved := false, false
	if wd != filepath.Dir(wd) { // nobody clones into /, where all is below
		if written, resolved, err = settings.Below(path, wd); err != nil {
			return nil, false, err
		}
	}
	switch {
	case written && !resolved:
		return nil, true, &settings.Problem{At: path, Message: "a link on the way to it is not followed in the working directory", Hint: "put the file itself there, or name it with --config"}
	case written:
		data, err = settings.Found(path)
		return data, true, err
	case resolved:
		data, err = settings.Named(path)
		return data, true, err
	}
	data, err = settings.Own(path)
	return data, false, err
}

// absent reports whether a file is not there; no folder to hold it is the same.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// allow keeps what a file may say, and says why it may not say the rest.
func allow(found []settings.Setting, isHere bool) (kept []settings.Setting, problems []*settings.Problem) {
	for _, s := range found {
		wrong := func(hint, format string, args ...any) {
			problems = append(problems, &settings.Problem{At: s.From, Message: settings.Clip(s.Key) + ": " + fmt.Sprintf(format, args...), Hint: hint})
		}
		i := slices.IndexFunc(options(), func(o option) bool { return o.key == s.Key })
		if i < 0 {
			wrong(nearest(s.Key), "no setting is called that")
			continue
		}
		o := options()[i]
		switch {
		case o.reach >= environment:
			wrong(o.why, "this is not for a file")
		case isHere && (o.reach != anywhere || s.Key == "fail-on" && slices.Contains(s.Values, "none")):
			wrong(o.why+", and a repository that was cloned must not; put it in your own file outside of it, a variable or a flag", "not in a file of the working directory")
		default:
			s.Here = isHere
			if err := o.fits(s); err != nil {
				problems = append(problems, problem(s.From, o.key, err))
				continue
			}
			kept = append(kept, s)
		}
	}
	return kept, problems
}

// fits checks a value by what its flag reads it with.
func (o option) fits(s settings.Setting) error {
	fromFile := !strings.HasPrefix(s.From, "AKSCERT_")
	switch {
	case s.IsList && !o.isList():
		return hinted{errors.New("it takes one value, not a list"), "write it without brackets or dashes"}
	case fromFile && o.kind == "bool" && !s.IsBool:
		return hinted{errors.New("it is neither true nor false"), "write true or false, without quotes"}
	case s.IsBool && o.kind != "bool":
		return hinted{errors.New("it takes text, not true or false"), "text that YAML takes for something else stands in quotes"}
	case o.check == nil:
		return nil
	}
	for _, v := range s.Values {
		if err := o.check(v); err != nil {
			return err
		}
	}
	return nil
}

// problem is err, where it was found.
func problem(at, key string, err error) *settings.Problem {
	var h hinted
	errors.As(err, &h)
	message := err.Error()
	if key != "" {
		message = key + ": " + message
	}
	return &settings.Problem{At: at, Message: message, Hint: h.hint}
}

// nearest is the hint for a key that is none.
func nearest(key string) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	for _, o := range options() {
		if plain(o.key) == plain(key) {
			return "the key is the flag's name: " + o.key
		}
	}
	return "keys are the names of flags; akscert config view lists them"
}

// attributed says of flags that an error is about, and that were not given by
// hand, where they are from.
func attributed(c *cobra.Command, err error) error {
	if err == nil || c == nil {
		return err
	}
	var h hinted
	errors.As(err, &h)
	said := strings.FieldsFunc(err.Error()+" "+h.hint, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
	var where []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if at := f.Annotations[from]; len(at) > 0 && slices.Contains(said, "--"+f.Name) {
			where = append(where, fmt.Sprintf("--%s is from %s", f.Name, at[0]))
		}
	})
	if len(where) == 0 {
		return err
	}
	return hinted{err, strings.TrimPrefix(h.hint+"; ", "; ") + render.Visible(strings.Join(where, ", "))}
}
