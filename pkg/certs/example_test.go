package certs_test

import (
	"fmt"
	"time"

	"github.com/akscert/akscert/pkg/certs"
)

func ExampleRead() {
	found, problems := certs.Read([]byte("subject=CN = kube-apiserver\nnotAfter=Jun 30 23:59:59 2027 GMT\n" +
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	for _, c := range found {
		fmt.Println(c.Subject, c.NotAfter.Format(time.RFC3339))
	}
	for _, p := range problems {
		fmt.Printf("line %d: %s\n", p.Line, p.Message)
	}
	// Output:
	// CN=kube-apiserver 2027-06-30T23:59:59Z
	// line 3: empty PEM block
}
