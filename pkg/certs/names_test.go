package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// TestName: the short way to print a name says what pkix.Name.String says.
func TestName(t *testing.T) {
	all := pkix.Name{
		Country: []string{"US", "DE"}, Organization: []string{"b", "a"}, OrganizationalUnit: []string{"x"}, Locality: []string{"l", ""},
		Province: []string{"p"}, StreetAddress: []string{"s"}, PostalCode: []string{"1"}, SerialNumber: "7", CommonName: "cn",
	}
	for _, n := range []pkix.Name{
		{}, all, {CommonName: "a,b"}, {CommonName: " a"}, {CommonName: "a "}, {CommonName: "#a"}, {CommonName: `a\b`}, {CommonName: "a\"b"}, {CommonName: "Zürich"},
		{CommonName: "a b", Organization: []string{"system:masters"}}, {CommonName: "\xff"},
		{CommonName: "a", ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 3}, Value: "x"}}},
		{CommonName: "a", ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 4}, Value: "x"}}},
		{CommonName: "a", ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 12}, Value: "x"}}},
	} {
		sequence := n.ToRDNSequence()
		var read pkix.Name
		read.FillFromRDNSequence(&sequence)
		if got, want := name(&read, nil), read.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
