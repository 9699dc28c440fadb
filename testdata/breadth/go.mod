// A module of its own, so that zlint, whose test data is compared with
// OpenSSL here, stays out of the product's go.mod.
module github.com/akscert/akscert/testdata/breadth

go 1.26.0

require (
	github.com/akscert/akscert v0.0.0
	github.com/zmap/zlint/v3 v3.7.3
)

replace github.com/akscert/akscert => ../..
