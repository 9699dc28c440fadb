package node

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/akscert/akscert/pkg/report"
)

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// windows*.txt were written by hand after probe.ps1: no Windows was there to run
// it on.
func TestParseWindows(t *testing.T) {
	facts, seen := Parse(strings.ReplaceAll(read(t, "windows.txt"), "\n", "\r\n"))
	same(t, show(seen), []string{
		`kubelet-client C:\k\pki\kubelet-client-current.pem`,
		`kubelet-serving C:\k\pki\kubelet.crt`,
		`cluster-ca C:\k\ca.crt`,
	})
	if facts.Name != "aksnpwin000000" || facts.OS != "windows" || facts.BootstrapMode != report.BootstrapToken || facts.RotateCertificates == nil ||
		*facts.BootstrapKubeconfig != (report.BootstrapKubeconfig{Present: true, Path: `C:\k\bootstrap-config`}) {
		t.Errorf("facts %+v", facts)
	}
	c := seen[0].Certificate
	if c.Subject != "CN=system:node:aksnpwin000000,O=system:nodes" || c.Issuer != "CN=ca" || !c.NotBefore.Equal(notBefore) || !c.NotAfter.Equal(notAfter) ||
		c.Serial != "8f2d" || len(c.Fingerprint) != 64 || *c.SelfSigned {
		t.Errorf("certificate %+v", c)
	}
}

func TestParseLegacyWindows(t *testing.T) {
	facts, seen := Parse(read(t, "windows-legacy.txt"))
	same(t, show(seen), []string{`cluster-ca C:\k\ca.crt`, `node-static-client C:\k\config`})
	if facts.BootstrapMode != report.BootstrapStatic || facts.RotateCertificates == nil || *facts.RotateCertificates {
		t.Errorf("facts %+v", facts)
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ os, printed, want string }{
		{"linux", `CN=ca`, `CN=ca`},
		{"linux", `CN=\C3\A9\0A,O=a\, b\\`, "CN=é\n,O=a\\, b\\\\"},
		{"linux", `CN=a", b`, `CN=a", b`},
		{"linux", `CN=cut in the midst of \C3...`, `CN=cut in the midst of \C3...`},
		{"windows", `CN=a, O=b + OU=c`, `CN=a,O=b+OU=c`},
		{"windows", `CN="a, ""b""", O=c`, `CN=a\, \"b\",O=c`},
		{"windows", `CN=a\5Cb\C3\A9`, `CN=a\\bé`},
	}
	for _, tt := range tests {
		if got := (&parser{os: tt.os}).name(tt.printed); got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.os, tt.printed, got, tt.want)
		}
	}
}

// What run-command gives back when it did not run what it was sent, or not all.
func TestParseWhatIsNoAnswer(t *testing.T) {
	whole := read(t, "linux.txt")
	lines := strings.SplitAfter(whole, "\n")
	tests := []struct {
		name, output string
		want         string
		rows         int
	}{
		{"empty", "", "malformed : the probe did not run: the answer is empty", 0},
		{"unfinished script", "Enable succeeded: Last script execution didn't finish.", "malformed : the probe did not run: the answer is not its own", 0},
		{"sample script", "This is a sample script\n", "malformed : the probe did not run: the answer is not its own", 0},
		{"no end", strings.Join(lines[:5], ""), "malformed : the probe did not finish: its closing line is missing", 0},
		{"front cut off", whole[len(whole)/2:], "truncated : the front of the answer was cut off", 3},
		{"only the end", "akscert-probe end 40\n", "truncated : the front of the answer was cut off", 0},
		{"half a line in front", "fact rotate-flag true\nfact kubelet-uses current\ndone\nakscert-probe end 40\n", "truncated : the front of the answer was cut off", 0},
		{"a line lost", strings.Join(append(append([]string(nil), lines[:3]...), lines[4:]...), ""), "truncated : part of the answer is missing: its lines are not as many as it says", 0},
		{"another version", strings.Replace(whole, "begin 1", "begin 2", 1), "unsupported : printed by a probe of another version of akscert", 0},
		{"altered", strings.Replace(whole, "begin 1 linux", "begin 1 plan9", 1), "malformed : the probe's opening line was altered", 0},
		{"too large", strings.Repeat("x\n", maxOutput) + whole, "malformed : the answer is larger than 256 KiB: it is not the probe's alone", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts, seen := Parse(tt.output)
			rows, gaps := 0, []string(nil)
			for i, o := range seen {
				if o.Certificate != nil {
					rows++
				} else {
					gaps = append(gaps, show(seen[i:i+1])...)
				}
			}
			same(t, gaps, []string{tt.want})
			if rows != tt.rows {
				t.Errorf("%d rows, want %d", rows, tt.rows)
			}
			if rows == 0 && facts.RotateCertificates != nil {
				t.Errorf("facts %+v", facts)
			}
		})
	}
}

func TestWeirdDates(t *testing.T) {
	output := "akscert-probe begin 1 linux\nfile " + current + "\n" +
		"cert\nfrom=Bad time value\nto=Mar  4 05:06:07 2027 GMT\ncert\nfrom=Mar  4 05:06:07 2025 GMT\nto=Bad time value\ncert\nsubject=CN=x\ndone\nakscert-probe end 10\n"
	_, seen := Parse(output)
	same(t, show(seen), []string{
		"kubelet-client " + current + "#0",
		"malformed " + current + "#1: the dates of this certificate cannot be read",
		"malformed " + current + "#2: the dates of this certificate cannot be read",
	})
	if c := seen[0].Certificate; c.NotBefore != nil || c.Malformed == "" {
		t.Errorf("%+v", c)
	}
}

// What people save: several answers in one file, PowerShell's UTF-16, az's JSON.
func TestSavedOutput(t *testing.T) {
	linux, windows := read(t, "linux.txt"), read(t, "windows.txt")
	message := func(text string) string {
		data, err := json.Marshal(map[string]any{"value": []map[string]string{{"code": "ProvisioningState/succeeded", "message": "Enable succeeded: \n[stdout]\n" + text + "\n[stderr]\n"}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	units := utf16.Encode([]rune("\ufeff" + strings.ReplaceAll(windows, "\n", "\r\n")))
	wide := make([]byte, 0, 2*len(units))
	for _, u := range units {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	tests := []struct {
		name, output string
		nodes        []string
		gaps         int
	}{
		{"one", linux, []string{"aks-nodepool1-12345678-vmss000000"}, 0},
		{"two, with talk around", "Creating debugging pod x\n" + linux + "\n$ \n" + windows + "bye\n", []string{"aks-nodepool1-12345678-vmss000000", "aksnpwin000000"}, 0},
		{"one that died, and one", linux[:len(linux)/2] + "\n" + windows, []string{"aksnpwin000000"}, 1},
		{"JSON", message(linux), []string{"aks-nodepool1-12345678-vmss000000"}, 0},
		{"UTF-16", string(wide), []string{"aksnpwin000000"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !Recognise([]byte(tt.output)) {
				t.Error("not recognised")
			}
			var nodes []string
			gaps := 0
			for _, o := range Observations("", tt.output) {
				switch {
				case o.Node != nil:
					nodes = append(nodes, o.Node.Name)
				case o.Gap != nil:
					gaps++
				case o.Certificate.Node != nodes[len(nodes)-1]:
					t.Errorf("%s of node %q", o.Certificate.Location, o.Certificate.Node)
				}
			}
			same(t, nodes, tt.nodes)
			if gaps != tt.gaps {
				t.Errorf("%d gaps, want %d", gaps, tt.gaps)
			}
		})
	}
	for _, other := range []string{"", Script("linux"), Script("windows"), "-----BEGIN CERTIFICATE-----\n", `{"value":[]}`, "\xff\xfe"} {
		if Recognise([]byte(other)) {
			t.Errorf("recognised %.40q", other)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"linux.txt", "windows.txt", "windows-legacy.txt"} {
		f.Add(read(f, name))
		f.Add(read(f, name)[300:])
	}
	f.Add("akscert-probe begin 1 linux\nakscert-probe end 0\n")
	f.Fuzz(func(t *testing.T, output string) {
		_, seen := Parse(output)
		for _, o := range seen {
			if o.Certificate != nil && (o.Certificate.NotAfter == nil || o.Certificate.Role == "" || o.Certificate.Location == "") {
				t.Errorf("%+v", o.Certificate)
			}
			if o.Gap != nil && (o.Gap.Reason == "" || o.Gap.Message == "") {
				t.Errorf("%+v", o.Gap)
			}
		}
		if !strings.Contains(output, endMark) && (len(seen) != 1 || seen[0].Gap == nil) {
			t.Errorf("%q: %v", output, show(seen))
		}
		Observations("", output)
		Recognise([]byte(output))
	})
}
