module github.com/akscert/akscert/testdata/e2e

go 1.26.0

require github.com/akscert/akscert v0.0.0

// The report's types, from this very checkout.
replace github.com/akscert/akscert => ../..
