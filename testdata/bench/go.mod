// A module of its own: measuring is no part of the product.
module github.com/akscert/akscert/testdata/bench

go 1.26.0

require github.com/akscert/akscert v0.0.0

require k8s.io/utils v0.0.0-20260626114624-be93311217bd // indirect

replace github.com/akscert/akscert => ../..
