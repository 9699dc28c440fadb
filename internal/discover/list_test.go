package discover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

const (
	sub    = "00000000-0000-0000-0000-00000000000a"
	inRG   = "/subscriptions/" + sub + "/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/"
	webID  = inRG + "Web"
	blogID = inRG + "blog"
)

func listedID(id string) target.ARM {
	words := strings.Split(id, "/")
	return target.ARM{ID: id, Listed: true, SubscriptionID: words[2], ResourceGroup: words[4], Name: words[8]}
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestList(t *testing.T) {
	tests := []struct {
		name, content string
		clusters      []string
		contexts      []string
		gaps          []string // what each message ends with
	}{
		{"nothing", "", nil, nil, []string{"l names no cluster"}},
		{"comments alone", "# none\n\n", nil, nil, []string{"l names no cluster"}},
		{"JSON", "[\n  \"" + webID + "\"\n]\n", []string{webID}, nil, nil},
		{"JSON in one line", `["` + webID + `","` + blogID + `"]` + "\n", nil, nil, []string{"line 1 of l is JSON, and not one id or context"}},
		{"JSON's objects", "[\n {\n  \"id\": \"" + webID + "\",\n }\n]\n", nil, nil, []string{"is JSON, and not one id or context", "is JSON, and not one id or context", "is JSON, and not one id or context"}},
		{"an empty list as JSON", "[]\n", nil, nil, []string{"l names no cluster"}},
		{"az's tsv", webID + "\n" + blogID + "\n", []string{webID, blogID}, nil, nil},
		{"no newline at the end", webID, []string{webID}, nil, nil},
		{"more columns", webID + "\tWeb\twesteurope\n", []string{webID}, nil, nil},
		{"contexts", "prod\nteam a/blue\n/not/one\n", nil, []string{"prod@l:1", "team a/blue@l:2"}, []string{"line 3 of l is not the ARM id of a managed cluster"}},
		{"comments and blanks", "# mine\n\n   \n" + webID + "  # the shop\n  #x\n", []string{webID}, nil, nil},
		{"carriage returns", webID + "\r\nprod\r\n", []string{webID}, []string{"prod@l:2"}, nil},
		{"byte order mark", "\xef\xbb\xbf" + webID, []string{webID}, nil, nil},
		{"PowerShell's", utf16le(webID + "\r\nprod\r\n"), []string{webID}, []string{"prod@l:2"}, nil},
		{"quotes", `"` + webID + `"` + "\n'prod'\n", []string{webID}, []string{"prod@l:2"}, nil},
		{"JSON's lines", `  "` + webID + `",` + "\n", []string{webID}, nil, nil},
		{"once each", webID + "\n" + strings.ToUpper(webID) + "\nprod\nprod\nProd\n", []string{webID}, []string{"prod@l:3", "Prod@l:5"}, nil},
		{"slashes around", webID + "/\n" + blogID[1:], []string{webID, blogID}, nil, nil},
		{"an incomplete id", "/subscriptions/" + sub + "/resourceGroups/rg\n" + webID, []string{webID}, nil, []string{"line 1 of l is an incomplete ARM id"}},
		{"another type", "/subscriptions/" + sub + "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/x\nprod", nil, []string{"prod@l:2"}, []string{"line 1 of l is not the ARM id of a managed cluster"}},
		{"a child", webID + "/agentPools/one", nil, nil, []string{"is the ARM id of something in a managed cluster"}},
		{"a placeholder", "/subscriptions/SUB/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/x", nil, nil, []string{"its subscription is not an id"}},
		{"out of the path", strings.Replace(webID, "/rg/", "/../", 1), nil, nil, []string{"a name in it cannot be one"}},
		{"a query", webID + "?x", nil, nil, []string{"a name in it cannot be one"}},
		{"an empty name", inRG, nil, nil, []string{"is an incomplete ARM id"}},
		{"control characters", "pr\x1b[31mod\nprod\x00\na\tb\n\u202eprod\nok", nil, []string{"ok@l:5"}, []string{"what is no text", "what is no text", "what is no text", "what is no text"}},
		{"no UTF-8", "\xffprod\nok", nil, []string{"ok@l:2"}, []string{"what is no text"}},
		{"too long", strings.Repeat("x", 3000) + "\nok", nil, []string{"ok@l:2"}, []string{"line 1 of l is longer than 2048 bytes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, gaps, err := List(t.Context(), strings.NewReader(test.content), "l")
			if err != nil {
				t.Fatal(err)
			}
			var want Listed
			for _, id := range test.clusters {
				a := listedID(id)
				want.Clusters = append(want.Clusters, target.Target{ID: strings.ToLower(id), Name: a.Name, ARM: &a})
			}
			for _, c := range test.contexts {
				name, where, _ := strings.Cut(c, "@")
				want.Contexts = append(want.Contexts, Line{name, where})
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if len(gaps) != len(test.gaps) {
				t.Fatalf("gaps %+v", gaps)
			}
			for i, g := range gaps {
				if !strings.HasSuffix(g.Message, test.gaps[i]) || !strings.HasPrefix(g.Location, "l") || g.Count != 1 || g.Hint == "" {
					t.Errorf("gap %+v, want %q", g, test.gaps[i])
				}
			}
		})
	}
}

// A file of nonsense does not become a report of nonsense, and what is left out
// is told.
func TestListBounds(t *testing.T) {
	got, gaps, err := List(t.Context(), strings.NewReader(strings.Repeat("/x\n", 5000)+"ok\n"), "l")
	if err != nil || len(gaps) != maxBadListed+1 || gaps[maxBadListed].Count != 5000-maxBadListed || len(got.Contexts) != 1 {
		t.Errorf("%d gaps, %d contexts, %v", len(gaps), len(got.Contexts), err)
	}
	var many strings.Builder
	for i := range maxListed + 5 {
		fmt.Fprintf(&many, "c%d\n", i)
	}
	got, gaps, err = List(t.Context(), strings.NewReader(many.String()), "l")
	if err != nil || len(got.Contexts) != maxListed || len(gaps) != 1 || gaps[0].Reason != report.ReasonTruncated {
		t.Errorf("%d contexts, gaps %+v, %v", len(got.Contexts), gaps, err)
	}
	line := strings.Repeat("#", 1023) + "\n"
	got, gaps, err = List(t.Context(), io.MultiReader(strings.NewReader("ok\n"), io.LimitReader(endless(line), maxList)), "l")
	if err != nil || len(got.Contexts) != 1 || len(gaps) != 1 || !strings.Contains(gaps[0].Message, "larger than 32 MiB") {
		t.Errorf("%d contexts, gaps %+v, %v", len(got.Contexts), gaps, err)
	}
	got, gaps, err = List(t.Context(), io.MultiReader(strings.NewReader("ok\n"), iotest.ErrReader(errors.New("the disk is gone"))), "l")
	if err != nil || len(got.Contexts) != 1 || len(gaps) != 1 || !strings.HasSuffix(gaps[0].Message, "the disk is gone") {
		t.Errorf("%d contexts, gaps %+v, %v", len(got.Contexts), gaps, err)
	}
	if _, _, err = List(t.Context(), iotest.ErrReader(errors.New("is a directory")), "l"); err == nil || !strings.Contains(err.Error(), `"l": is a directory`) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	r, w := io.Pipe()
	defer w.Close()
	if _, _, err = List(ctx, r, "-"); err == nil || !strings.Contains(err.Error(), "took longer") {
		t.Errorf("error %v", err)
	}
	gone, end := context.WithCancelCause(t.Context())
	end(errors.New("interrupted"))
	if _, _, err = List(gone, r, "-"); err == nil || strings.Contains(err.Error(), "longer") || !strings.HasSuffix(err.Error(), "interrupted") {
		t.Errorf("error %v", err)
	}
}

type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

// Whatever stands in a file: no panic, each id once and well-formed, and no line
// without an answer.
func FuzzList(f *testing.F) {
	for _, s := range []string{"", webID, webID + "\tx\r\n" + blogID + "\nprod", "\xff\xfe/\x00s", "\xfe\xff\x00/", "'", `"`, `",`, "\"/\"", "/\x00", " #", "subscriptions/", strings.Repeat("/", 20), "'# x'", webID + ",", `"prod",`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		got, gaps, err := List(t.Context(), strings.NewReader(content), "l")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, c := range got.Clusters {
			words := strings.Split(c.ARM.ID, "/")
			if seen[c.ID] || !c.ARM.Listed || c.ID != strings.ToLower(c.ARM.ID) || len(words) != 9 || words[2] != c.ARM.SubscriptionID || words[4] != c.ARM.ResourceGroup || words[8] != c.ARM.Name {
				t.Errorf("cluster %+v", c)
			}
			seen[c.ID] = true
		}
		for _, c := range got.Contexts {
			if seen["c"+c.Context] || c.Context == "" || strings.ContainsAny(c.Context, "\x00\x1b\t\r\n") || len(c.Context) > maxLine {
				t.Errorf("context %q", c.Context)
			}
			seen["c"+c.Context] = true
		}
		for _, g := range gaps {
			if g.Count < 1 || g.Message == "" || strings.ContainsAny(g.Message, "\x00\x1b\r\n") {
				t.Errorf("gap %+v", g)
			}
		}
		letters := strings.Trim(content, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-. \t\r\n") == ""
		if letters && strings.TrimSpace(content) != "" && len(got.Clusters)+len(got.Contexts)+len(gaps) == 0 {
			t.Errorf("nothing came of %q", content)
		}
	})
}
