package render

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

//go:embed html
var pages embed.FS

// HTML draws the report as one page that needs nothing else: no script, no
// request, and a policy in it by which a browser refuses both. The state is
// always a word, which the colour repeats; every drawing says no more than the
// row it stands in.
func HTML(out io.Writer, r *report.Report) error {
	style, err := pages.ReadFile("html/style.css")
	if err != nil {
		return fmt.Errorf("reading the page's style: %w", err)
	}
	page, err := template.New("").Funcs(htmlWords(r)).ParseFS(pages, "html/page.html")
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	w := bufio.NewWriter(out)
	htmlHead(w, r, style)
	if err := page.ExecuteTemplate(w, "page", newHTMLPage(r)); err != nil {
		return fmt.Errorf("drawing the page: %w", err)
	}
	fmt.Fprint(w, "</body>\n</html>\n")
	return w.Flush()
}

// htmlHead is not in the template, which would strip the style's comments, and with
// them the truth of its hash.
func htmlHead(w io.Writer, r *report.Report, style []byte) {
	sum := sha256.Sum256(style)
	fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>AKS certificates, %s: %s</title>
<style>%s</style>
</head>
<body>
`, base64.StdEncoding.EncodeToString(sum[:]), r.AsOf.UTC().Format("2006-01-02"), template.HTMLEscapeString(htmlVisible(lines(string(r.Outcome), sampled(r)))), style)
}

// A text longer than htmlLong is folded, and its first htmlCut characters stand for
// it.
const htmlLong, htmlCut = 600, 200

// htmlWords are what the template may say.
func htmlWords(r *report.Report) template.FuncMap {
	return template.FuncMap{
		"visible": func(s any) string { return htmlVisible(fmt.Sprint(s)) },
		"long":    func(s string) bool { return len(s) > htmlLong && len([]rune(s)) > htmlLong },
		"cut":     func(s string) string { return htmlVisible(string([]rune(s)[:htmlCut])) + "…" },
		"class":   htmlClass,
		"solid": func(word any) bool {
			c := htmlClass(word)
			return c == "expired" || c == "critical"
		},
		"date":  date,
		"stamp": func(t *time.Time) string { return t.UTC().Format(time.RFC3339) },
		"left":  func(c *report.Certificate) string { return left(*c) },
		"when":  func(c *report.Certificate) string { return when(*c) },
		"life": func(row htmlRow) htmlLife {
			b := newHTMLLife(row.C)
			if row.Waived {
				b.Class = "info"
			}
			return b
		},
		"ticks": func() []htmlTick { return htmlTicks(r.AsOf) },
		"grid": func() []string {
			var at []string
			for _, t := range htmlTicks(r.AsOf) {
				at = append(at, t.X)
			}
			return at
		},
		"count":    htmlCounted,
		"accepted": accepted,
		"covers": func(w report.Waiver) string {
			return htmlVisible(htmlCounted(w.Matches, string(w.Kind)))
		},
		// A node's copy of the API server's certificate gates nothing, and is not painted.
		"copied": func(c *report.Certificate) bool { return c.Role == report.RoleAPIServerCopy },
		// Of all that a report links to, only the manual is a link here.
		"linkable": regexp.MustCompile(`^https://learn\.microsoft\.com/[\w./?=&#-]*$`).MatchString,
	}
}

// htmlVisible is Visible where, besides, no more than a few marks are set on one
// letter: a stack of them covers the lines above, and cannot be broken into
// lines.
func htmlVisible(s string) string {
	const most = 4
	s = Visible(s)
	var b strings.Builder
	run := 0
	for _, r := range s {
		if !unicode.Is(unicode.M, r) {
			run = 0
		} else if run++; run > most {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func htmlCounted(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// htmlClass is the colour of a word.
func htmlClass(word any) string {
	switch fmt.Sprint(word) {
	case "ok", "pass", "automatic":
		return "ok"
	case "due":
		return "due"
	case "warning", "manual", "incomplete", "interrupted", "partial", htmlNotExamined:
		return "warning"
	case "critical", "not-yet-valid", "findings", "broken", "fail", "failed":
		return "critical"
	case "expired":
		return "expired"
	}
	return "info"
}

// A life is drawn between margins, so that there is room for a today before it
// begins or after it ends.
const htmlMargin, htmlWhole = 6.0, 88.0

// htmlLife is one life from 0 to 100 %, whatever its length: a CA's thirty years
// and a kubelet's one are read alike.
type htmlLife struct {
	Class         string
	Open          bool   // only its end is known
	Why           string // why there is nothing to draw
	Used, Now     string
	Window        bool // a kubelet renews it, between 70 and 90 %
	Warns         string
	Critical      string
	Percent       string
	begin, length int64
}

func newHTMLLife(c *report.Certificate) htmlLife {
	b := htmlLife{Class: htmlClass(c.State)}
	if c.Role == report.RoleAPIServerCopy {
		b.Class = "info"
	}
	switch {
	case c.LifetimeUsed != nil:
	case c.NotAfter == nil:
		b.Why = "not known"
		return b
	case c.NotBefore == nil:
		b.Open = true
		return b
	default:
		b.Why = "none: it ends before it begins"
		return b
	}
	used := *c.LifetimeUsed
	b.Percent = life(*c, false, Look{}) + " used"
	b.Now = htmlPercent(htmlMargin + htmlWhole*min(max(used, 0), 1))
	switch {
	case c.State == report.StateNotYetValid:
		b.Now, b.Percent = htmlPercent(htmlMargin/3), "not begun"
	case used > 1:
		b.Now = htmlPercent(100 - htmlMargin/3)
	}
	if u := min(max(used, 0), 1); u > 0 {
		b.Used = htmlPercent(htmlWhole * u)
	}
	b.Window = c.Renewal == report.RenewalAutomatic && (c.Role == report.RoleKubeletClient || c.Role == report.RoleKubeletServing)
	if c.NotBefore != nil && c.NotAfter != nil && c.NotAfter.After(*c.NotBefore) {
		b.begin, b.length = c.NotBefore.Unix(), c.NotAfter.Unix()-c.NotBefore.Unix()
		b.Warns, b.Critical = b.at(c.WarnsAt), b.at(c.CriticalAt)
	}
	return b
}

// at is where an instant lies in a life.
func (b htmlLife) at(t *time.Time) string {
	if t == nil || b.length <= 0 {
		return ""
	}
	return htmlPercent(htmlMargin + htmlWhole*min(max(float64(t.Unix()-b.begin)/float64(b.length), 0), 1))
}

func htmlPercent(x float64) string { return fmt.Sprintf("%g%%", math.Round(x*10)/10) }

// The calendar: what is past, two years of months, and what is later.
const (
	htmlMonths          = 24
	htmlSpan            = 730 * 24 * 3600 // seconds
	htmlPast, htmlLater = 10.0, 90.0      // where the months begin and end
)

type htmlTick struct{ X, Label string }

// htmlTicks are the half years in the calendar.
func htmlTicks(asOf time.Time) []htmlTick {
	var list []htmlTick
	for t := time.Date(asOf.UTC().Year(), time.January, 1, 0, 0, 0, 0, time.UTC); ; t = t.AddDate(0, 6, 0) {
		ahead := t.Unix() - asOf.Unix()
		if ahead > htmlSpan {
			return list
		}
		if ahead > 0 {
			x := htmlPast + (htmlLater-htmlPast)*float64(ahead)/htmlSpan
			one := htmlTick{X: htmlPercent(x)}
			if x > htmlPast+9 { // clear of today's line
				one.Label = t.Format("2006")
				if t.Month() == time.July {
					one.Label = "Jul"
				}
			}
			list = append(list, one)
		}
	}
}

// htmlLane is the calendar of some certificates: a mark for each month, with the
// worst state of all that end in it.
type htmlLane struct {
	Marks []htmlMark
	Words string
}

type htmlMark struct {
	State    report.State
	X, Title string
}

func newHTMLLane(asOf time.Time, certificates []*report.Certificate) htmlLane {
	const bins = htmlMonths + 2
	var worst [bins]report.State
	var number [bins]int
	var unknown, month, quarter, years int
	for _, c := range certificates {
		if c.NotAfter == nil {
			unknown++
			continue
		}
		ahead := c.NotAfter.Unix() - asOf.Unix()
		i := 0
		switch {
		case ahead >= htmlSpan:
			i = bins - 1
		case ahead >= 0:
			i = 1 + int(ahead*htmlMonths/htmlSpan)
			years++
			if ahead <= 30*86400 {
				month++
			}
			if ahead <= 90*86400 {
				quarter++
			}
		}
		if number[i]++; worst[i] == "" || c.State.Rank() > worst[i].Rank() {
			worst[i] = c.State
		}
	}
	var l htmlLane
	for i, n := range number {
		if n == 0 {
			continue
		}
		at, x := fmt.Sprintf("%s of the coming months", htmlOrdinal(i)), htmlPast+(htmlLater-htmlPast)*(float64(i)-0.5)/htmlMonths
		switch i {
		case 0:
			at, x = "past", htmlPast/2
		case bins - 1:
			at, x = "later", (htmlLater+100)/2
		}
		l.Marks = append(l.Marks, htmlMark{worst[i], htmlPercent(x), fmt.Sprintf("%s: %s, worst %s", at, htmlCounted(n, "certificate"), htmlVisible(string(worst[i])))})
	}
	l.Words = fmt.Sprintf("%d past, %d within 30 days, %d within 90 days, %d within 24 months, %d later", number[0], month, quarter, years, number[bins-1])
	if unknown > 0 {
		l.Words += fmt.Sprintf(", %d with no known end", unknown)
	}
	return l
}

func htmlOrdinal(n int) string {
	switch {
	case n%10 == 1 && n != 11:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2 && n != 12:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3 && n != 13:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

func htmlTook(seconds float64) string {
	if seconds < 1 {
		return "less than a second"
	}
	return lifetime.Span(int64(min(seconds, 1e15)))
}
