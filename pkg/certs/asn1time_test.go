package certs

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// times are notAfter values and what OpenSSL reads in them; empty for none.
var times = []struct {
	tag   int
	value string
	want  string
}{
	{tagUTCTime, "270630235959Z", "2027-06-30T23:59:59Z"},
	{tagUTCTime, "2706302359Z", "2027-06-30T23:59:00Z"},
	{tagUTCTime, "270630235959+0130", "2027-06-30T22:29:59Z"},
	{tagUTCTime, "270630235959-1259", "2027-07-01T12:58:59Z"},
	{tagUTCTime, "2706302359-0100", "2027-07-01T00:59:00Z"},
	{tagUTCTime, "270630235959+1300", ""},
	{tagUTCTime, "270630235959+0060", ""},
	{tagUTCTime, "491231235959Z", "2049-12-31T23:59:59Z"},
	{tagUTCTime, "500101000000Z", "1950-01-01T00:00:00Z"},
	{tagUTCTime, "000229000000Z", "2000-02-29T00:00:00Z"},
	{tagUTCTime, "010229000000Z", ""},
	{tagUTCTime, "270631000000Z", ""},
	{tagUTCTime, "271301000000Z", ""},
	{tagUTCTime, "270600000000Z", ""},
	{tagUTCTime, "270630240000Z", ""},
	{tagUTCTime, "270630236000Z", ""},
	{tagUTCTime, "270630235960Z", ""},
	{tagUTCTime, "270630235959", ""},
	{tagUTCTime, "270630235959z", ""},
	{tagUTCTime, "270630235959.5Z", ""},
	{tagUTCTime, "270630235959Z ", ""},
	{tagUTCTime, "27063023595Z", ""},
	{tagUTCTime, "20270630235959Z", ""},
	{tagUTCTime, "", ""},
	{tagGeneralizedTime, "20270630235959Z", "2027-06-30T23:59:59Z"},
	{tagGeneralizedTime, "202706302359Z", "2027-06-30T23:59:00Z"},
	{tagGeneralizedTime, "20270630235959.5Z", "2027-06-30T23:59:59Z"},
	{tagGeneralizedTime, "20270630235959.999999999999Z", "2027-06-30T23:59:59Z"},
	{tagGeneralizedTime, "20270630235959.5+0100", "2027-06-30T22:59:59Z"},
	{tagGeneralizedTime, "20270630235959.Z", ""},
	{tagGeneralizedTime, "20270630235959,5Z", ""},
	{tagGeneralizedTime, "202706302359.5Z", ""},
	{tagGeneralizedTime, "20270630235959-1200", "2027-07-01T11:59:59Z"},
	{tagGeneralizedTime, "99991231235959Z", "9999-12-31T23:59:59Z"},
	{tagGeneralizedTime, "99991231235959-0100", ""}, // the year 10000
	{tagGeneralizedTime, "00010101000000Z", "0001-01-01T00:00:00Z"},
	{tagGeneralizedTime, "00000101000000Z", "0000-01-01T00:00:00Z"},
	{tagGeneralizedTime, "00000229000000Z", "0000-02-29T00:00:00Z"},
	{tagGeneralizedTime, "19000229000000Z", ""},
	{tagGeneralizedTime, "20000229000000Z", "2000-02-29T00:00:00Z"},
	{tagGeneralizedTime, "2027063023Z", ""},
	{tagGeneralizedTime, "270630235959Z", ""},
	{tagUTF8String, "20270630235959Z", ""},
}

func TestASN1Time(t *testing.T) {
	for _, tt := range times {
		got := ""
		if at, ok := asn1Time(tt.tag, []byte(tt.value)); ok {
			if at := instant(at); at != nil {
				got = at.Format(time.RFC3339)
			}
		}
		if got != tt.want {
			t.Errorf("tag %d %q: got %q, want %q", tt.tag, tt.value, got, tt.want)
		}
	}
}

// TestParseDates is the same through Parse, whether crypto/x509 likes the form
// or not.
func TestParseDates(t *testing.T) {
	for _, tt := range times {
		if tt.value == "270630235959+1300" {
			// crypto/x509 knows offsets up to 23:59, and what it reads stands.
			tt.want = "2027-06-30T10:59:59Z"
		}
		c, err := Parse(sample{after: encode(byte(tt.tag), []byte(tt.value))}.der())
		got := ""
		if err == nil {
			got = c.NotAfter.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("tag %d %q: got %q, want %q", tt.tag, tt.value, got, tt.want)
		}
	}
}

// TestTimesAsOpenSSL holds the table above against openssl itself.
func TestTimesAsOpenSSL(t *testing.T) {
	for _, tt := range times {
		cmd := exec.Command("openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601")
		cmd.Stdin = bytes.NewReader(pemOf("CERTIFICATE", sample{after: encode(byte(tt.tag), []byte(tt.value))}.der()))
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) || bytes.HasPrefix(out, []byte("x509: ")) {
			t.Skip("needs openssl 3")
		}
		got := ""
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "notAfter="); ok {
			if at, ok := textDate(value); ok {
				got = at.Format(time.RFC3339)
			}
		}
		if got != tt.want {
			t.Errorf("tag %d %q: openssl says %q, want %q", tt.tag, tt.value, out, tt.want)
		}
	}
}
