// Package certs turns bytes from outside into certificates: PEM, DER, PKCS#7
// and the text that openssl prints.
//
// Its one promise: no expiry date is lost, and nothing is lost in silence.
// Where crypto/x509 refuses a certificate whose dates OpenSSL would read, the
// names, serial and validity are read leniently from the DER and Malformed says
// why the strict parser refused. What looks like a certificate and still cannot
// be read is a Problem with its place. Keys, requests and parameters are passed
// over, and never leave the function that saw them.
package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net"
	"time"
)

// Certificate is what could be read of one certificate.
type Certificate struct {
	// DER is the certificate alone, without trailing or auxiliary bytes, and
	// with the shortest lengths around its signed part, as OpenSSL writes it.
	// It is nil when only text about the certificate was at hand.
	DER []byte
	// Index is the place among the certificates (and problems) of the input,
	// from 0, counted before duplicates are folded.
	Index int
	// Count is how often the same DER stands in the input, at least 1.
	Count int

	// Subject and Issuer are in the order and escaping of RFC 2253 as
	// crypto/x509/pkix prints them. They are untrusted text.
	Subject, Issuer string
	// Serial is what `openssl x509 -serial` prints, in lower case: an even
	// number of hex digits, with a leading minus for a negative serial.
	// Empty when unknown.
	Serial string
	// NotBefore and NotAfter are in UTC, whole seconds, years 0 to 9999; nil
	// when unknown. They are pointers because the zero time.Time is a valid
	// notBefore.
	NotBefore, NotAfter *time.Time
	// IsCA and SelfSigned are nil when unknown (text). IsCA is the CA flag of
	// BasicConstraints (RFC 5280 4.2.1.9), or, as kubectl and OpenSSL do for
	// version 1 certificates, nothing: a version 1 certificate is no CA here.
	// SelfSigned means: issuer equals subject and its own key verifies its
	// signature, or, where the signature cannot be checked, that the names and
	// (where both are there) key identifiers agree.
	IsCA, SelfSigned *bool
	// DNSNames and IPs are the subject alternative names of those kinds.
	DNSNames []string
	IPs      []net.IP

	// Fingerprint is the lower-case hex SHA-256 of DER, or the one the text
	// stated; empty when unknown.
	Fingerprint string
	// Malformed says why crypto/x509 refused what stood in the input, or what
	// was wrong with the PEM block around it; empty when all was well.
	Malformed string
	// Strict is what crypto/x509 read in DER; nil when it refused, or for text.
	// It can be there although Malformed is set: the fault was then outside of
	// the certificate, such as trailing data.
	Strict *x509.Certificate
}

// Reason is why something that looked like a certificate could not be read.
type Reason string

const (
	// Malformed is damaged or undecodable content.
	Malformed Reason = "malformed"
	// Truncated is content that ends before it is complete.
	Truncated Reason = "truncated"
	// Unsupported is a known container this package does not open, such as
	// PKCS#12 or a Java key store.
	Unsupported Reason = "unsupported"
)

// Problem is something that looked like a certificate and could not be read.
type Problem struct {
	// Index is its place among the certificates and problems of the input.
	Index int
	// Line is the line it starts on, from 1; 0 for binary input.
	Line    int
	Reason  Reason
	Message string
	// Hint is a command or action that may help; may be empty.
	Hint string
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
