// Package breadth compares what pkg/certs reads with what OpenSSL reads, over
// every certificate in the test data of zlint and of the Go tree:
//
//	cd testdata/breadth && go test -v ./...
//
// It needs openssl 3.0 or newer, since older ones lack -dateopt, and is skipped
// without it. The go command leaves testdata folders out of ./... in the
// product's own module.
//
// Nothing of zlint is imported or built, only the files that come with the
// module are read; so go.mod and go.sum name it and go mod tidy, which would
// drop it, is not run here.
package breadth
