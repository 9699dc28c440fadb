# A fresh machine with Go, openssl and make needs nothing else.

GO ?= go

.PHONY: build test race lint bench breadth e2e fuzz clean bench-fleet html

# One static binary, without symbols.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/akscert ./cmd/akscert

test:
	$(GO) test ./...

race:
	$(GO) test -race ./...

# The linter is pinned in a module file of its own, so that what it needs stays
# out of the product's.
lint:
	$(GO) tool -modfile=.ci/tools.mod golangci-lint run ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/certs ./internal/audit ./internal/render

# Every certificate of two public collections, beside what openssl reads.
breadth:
	cd testdata/breadth && $(GO) test -count=1 -timeout 20m ./...

# A real etcd, kube-apiserver, kube-controller-manager and kubelet. Without root
# the kubelet is left out, and the rest runs; the first build takes some ten
# minutes, and is kept.
e2e:
	cd testdata/e2e && $(GO) test -count=1 -v -timeout 35m ./...

# A thousand nodes, two hundred clusters, five thousand contexts: akscert beside
# what Azure's limits allow, and beside tlsx, openssl and kubectl. Some ten minutes.
bench-fleet:
	cd testdata/bench && $(GO) run .

# The page of HTML in a real browser, where there is a Chromium.
html:
	cd testdata/html && $(GO) test -count=1 -v -timeout 15m ./...

# Each fuzz target for a minute.
fuzz:
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime 1m -fuzzminimizetime 2s $$package || exit 1; \
	  done; \
	done

clean:
	rm -rf bin
