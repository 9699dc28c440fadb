package kube

import (
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
)

// Shown watches the connections that c makes from now on. shown reports whether
// the server of the latest one asked for a client certificate and was given it:
// whatever it answers without that is not about the certificate. It is to be called
// before anything is asked for, and for a Client that is asked for one thing at a
// time.
func (c *Client) Shown() (shown func() bool) {
	var given atomic.Bool
	watch(c.http, &given)
	http1 := c.http1
	c.http1 = sync.OnceValues(func() (*http.Client, error) {
		client, err := http1()
		if err == nil {
			watch(client, &given)
		}
		return client, err
	})
	return given.Load
}

// watch keeps given for the connections of client.
func watch(client *http.Client, given *atomic.Bool) {
	rt := client.Transport
	for {
		wrapper, ok := rt.(interface{ WrappedRoundTripper() http.RoundTripper }) // as client-go's are
		if !ok {
			break
		}
		rt = wrapper.WrappedRoundTripper()
	}
	transport, ok := rt.(*http.Transport)
	if !ok || transport.TLSClientConfig == nil || transport.TLSClientConfig.GetClientCertificate == nil {
		return // nothing is ever shown
	}
	config := transport.TLSClientConfig
	get, verify := config.GetClientCertificate, config.VerifyConnection
	// crypto/tls calls this for every connection, before it gets the certificate.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		given.Store(false)
		if verify != nil {
			return verify(state)
		}
		return nil
	}
	config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, err := get(info)
		given.Store(err == nil && certificate != nil && len(certificate.Certificate) > 0)
		return certificate, err
	}
}
