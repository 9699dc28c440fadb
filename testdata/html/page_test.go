// Package html looks at the page that internal/render draws with a real
// browser: whether text fits, whether anything overlaps, what is asked of the
// network, and what a screen reader is told.
package html

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

//go:embed everything-wrong.json
var everythingWrong []byte

//go:embed look.js
var look string

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fleet is clusters with so many rows in all; every hundredth is not ok.
func fleet(clusters, rows int) *report.Report {
	r := &report.Report{SchemaVersion: report.SchemaVersion, Kind: report.Kind, Tool: report.Tool{Name: "akscert", Version: "1.0.0"}, AsOf: now, StartedAt: now, DurationSeconds: 61,
		Policy: report.Policy{WarnAt: "80%", CriticalAt: "95%", UnknownLifetime: report.Unknown{WarnAt: "30d", CriticalAt: "7d"}, FailOn: report.SeverityWarning}}
	for i := range clusters {
		id := fmt.Sprintf("prod-%02d", i)
		r.Clusters = append(r.Clusters, report.Cluster{ID: id, Name: id, Rotation: &report.Rotation{Verdict: report.RotationAutomatic},
			Sources: []report.SourceStatus{{Source: report.SourceNode, Status: report.StatusOK}}})
	}
	const year = 365 * 24 * 3600
	for i := range rows {
		id, node := r.Clusters[i%clusters].ID, fmt.Sprintf("aks-system-10402019-vmss%06x", i)
		age := int64(i%290) * 86400
		state := report.StateOK
		if i%100 == 7 {
			age, state = 330*86400, report.StateWarning
		}
		begin, end := now.Add(-time.Duration(age)*time.Second), now.Add(time.Duration(year-age)*time.Second)
		life, left, used := int64(year), int64(year)-age, float64(age)/year
		c := report.Certificate{ID: fmt.Sprintf("sha256:%064x@%s", i, node), Cluster: id, Source: report.SourceNode, Role: report.RoleKubeletClient, Node: node, Count: 1,
			Location: "/var/lib/kubelet/pki/kubelet-client-current.pem", Subject: "CN=system:node:" + node + ",O=system:nodes", Issuer: "CN=ca", Serial: fmt.Sprintf("%040x", i),
			SHA256: fmt.Sprintf("%064x", i), NotBefore: &begin, NotAfter: &end, LifetimeSeconds: &life, SecondsLeft: &left, LifetimeUsed: &used, State: state, Renewal: report.RenewalAutomatic}
		r.Certificates = append(r.Certificates, c)
		if state != report.StateOK {
			remedy := "nodes/" + id
			r.Findings = append(r.Findings, report.Finding{Rule: "rotation-overdue", Severity: report.SeverityWarning, Cluster: id, Certificate: c.ID, Node: node, By: &end, RemedyID: remedy,
				Message: "kubelet-client certificate on node " + node + " expires in 35 days (90 % of its lifetime used): it renews itself, and should have by now"})
			if n := len(r.Remedies); n == 0 || r.Remedies[n-1].ID != remedy {
				r.Remedies = append(r.Remedies, report.Remedy{ID: remedy, Summary: "give the nodes a new image", Impact: "recreates the pool's nodes; pods move",
					Commands: []string{"az aks nodepool upgrade --resource-group shop --cluster-name " + id + " --name system --node-image-only"}})
			}
		}
	}
	r.Sort()
	r.Conclude(0, false)
	return r
}

func pages(t *testing.T) map[string]*report.Report {
	wrong, err := report.Read(bytes.NewReader(everythingWrong))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*report.Report{"nothing": fleet(1, 0), "one row": fleet(1, 1), "everything wrong": wrong, "2000 rows": fleet(1, 2000), "2000 rows of 60 clusters": fleet(60, 2000)}
}

// browser is a tab in a browser that was started for it.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser here: install Debian's chromium, and the page is looked at")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	return tab
}

// call is the answer to one command, and tell what an expression comes to.
func call[P, R any](t *testing.T, tab context.Context, command cdp.Command[P, R], params P) R {
	t.Helper()
	answer, err := chromedp.Call(tab, command, params)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func tell[T any](t *testing.T, tab context.Context, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	answer, err := chromedp.Run(tab, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

// seen is what look.js has seen.
type seen struct {
	Problems []string `json:"problems"`
	Rows     int      `json:"rows"`  // of tables of certificates
	Shown    int      `json:"shown"` // those of them that are visible
	Texts    int      `json:"texts"`
}

func TestPage(t *testing.T) {
	tab := browser(t)
	requests := &requests{}
	if err := chromedp.Listen(tab, requests.hear); err != nil {
		t.Fatal(err)
	}
	call(t, tab, network.Enable, network.EnableParams{})
	call(t, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.refused = []; document.addEventListener("securitypolicyviolation", e => refused.push(e.violatedDirective + " " + e.blockedURI))`})
	dir := t.TempDir()
	for name, r := range pages(t) {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := render.HTML(&b, r); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".html")
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			requests.reset()
			begun := time.Now()
			do(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate("file://"+file))
			t.Logf("%d rows: %d kB, loaded in %d ms", len(r.Certificates), b.Len()/1000, time.Since(begun).Milliseconds())
			widths, medias := []int64{360, 703, 1280, 2560}, []string{"light", "dark", "print"}
			if len(r.Certificates) > 100 { // the same again, and slow
				widths, medias = []int64{360, 1280}, []string{"light"}
			}
			for _, width := range widths {
				for _, media := range medias {
					if media == "print" && width == 360 {
						continue // no paper is that narrow; A4 has 703 within its margins, upright
					}
					views(t, tab, name, len(r.Certificates), width, media)
				}
			}
			if len(r.Certificates) > 100 {
				views(t, tab, name, len(r.Certificates), 1280, "print")
			}
			refusals(t, tab)
			if urls := requests.others("file://" + file); len(urls) > 0 {
				t.Errorf("asked for %v", urls)
			}
		})
	}
}

// views looks at the page at one width, folded and unfolded.
func views(t *testing.T, tab context.Context, name string, rows int, width int64, media string) {
	t.Helper()
	emulate := emulation.SetEmulatedMediaParams{Media: "screen", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: media}}}
	if media == "print" {
		emulate = emulation.SetEmulatedMediaParams{Media: "print"}
	}
	call(t, tab, emulation.SetEmulatedMedia, emulate)
	for _, unfold := range []bool{false, true} {
		if unfold && media == "print" {
			return // as it is without
		}
		do(t, tab, chromedp.EmulateViewport(width, 2400), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll("details:not(.do)").forEach(d => { d.dataset.was ??= d.open ? "open" : ""; d.open = %t || d.dataset.was == "open" })`, unfold)))
		got := tell[seen](t, tab, look)
		for _, p := range got.Problems {
			t.Errorf("%d %s unfolded=%t: %s", width, media, unfold, p)
		}
		if got.Texts < 10 || got.Rows != rows {
			t.Errorf("%d %s: %d texts, %d rows of %d", width, media, got.Texts, got.Rows, rows)
		}
		if (media == "print" || unfold) && got.Shown != rows {
			t.Errorf("%d %s unfolded=%t: %d rows of %d can be seen", width, media, unfold, got.Shown, rows)
		}
		if to := os.Getenv("AKSCERT_SCREENSHOTS"); to != "" && !unfold {
			shoot(t, tab, filepath.Join(to, fmt.Sprintf("%s-%d-%s", strings.ReplaceAll(name, " ", "-"), width, media)))
		}
	}
}

// shoot keeps the top of what is seen, and once all of what is on paper.
func shoot(t *testing.T, tab context.Context, file string) {
	t.Helper()
	yes := true
	if strings.HasSuffix(file, "1280-print") {
		pdf := call(t, tab, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &yes}).Data
		if err := os.WriteFile(file+".pdf", pdf, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	png := call(t, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
	if err := os.WriteFile(file+".png", png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// refusals checks that nothing in the page was refused, and then that what is
// slipped into it is.
func refusals(t *testing.T, tab context.Context) {
	t.Helper()
	before := tell[[]string](t, tab, "refused")
	tell[int](t, tab, `document.body.insertAdjacentHTML("beforeend", '<p id=slipped onclick="window.ran = true">x<b style="color:red">x</b></p>'); document.getElementById("slipped").click(); 0`)
	after := tell[[]string](t, tab, "new Promise(r => setTimeout(() => r(refused), 50))", chromedp.EvalAwaitPromise)
	ran := tell[bool](t, tab, "window.ran === true")
	if len(before) > 0 {
		t.Errorf("the page breaks its own policy: %v", before)
	}
	if len(after) < 2 || ran {
		t.Errorf("the policy lets a script (ran: %t) or a style through: %v", ran, after)
	}
}

// A screen reader is told the same, also where the rows are cards.
func TestPageIsReadAloud(t *testing.T) {
	tab := browser(t)
	var b bytes.Buffer
	r := pages(t)["everything wrong"]
	if err := render.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{360, 1280} {
		do(t, tab, chromedp.EmulateViewport(width, 900), chromedp.Navigate("file://"+file))
		call(t, tab, accessibility.Enable, cdp.Empty{})
		nodes := call(t, tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
		roles, unnamed := map[string]int{}, 0
		for _, n := range nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role := strings.Trim(string(n.Role.Value), `"`)
			roles[role]++
			if (role == "image" || role == "img" || role == "table" || role == "region") && (n.Name == nil || strings.Trim(string(n.Name.Value), `"`) == "") {
				unnamed++
			}
		}
		t.Logf("%d: %v", width, roles)
		for role, least := range map[string]int{"banner": 1, "main": 1, "contentinfo": 1, "navigation": 1, "heading": 10, "table": 4, "rowheader": len(r.Certificates), "row": len(r.Certificates), "cell": 4 * len(r.Certificates), "columnheader": 12} {
			if roles[role] < least {
				t.Errorf("%d: %d of role %s, want at least %d", width, roles[role], role, least)
			}
		}
		if unnamed > 0 {
			t.Errorf("%d: %d images, tables or regions without a name", width, unnamed)
		}
	}
}

// requests are the addresses that were asked for.
type requests struct {
	mu   sync.Mutex
	urls []string
}

func (r *requests) hear(event any) {
	if sent, ok := event.(*network.EventRequestWillBeSent); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.urls = append(r.urls, sent.Request.URL)
	}
}

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.urls = nil
}

func (r *requests) others(than string) (urls []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, url := range r.urls {
		if url != than {
			urls = append(urls, url)
		}
	}
	return urls
}
