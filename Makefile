# Needs Go and make. What else a target needs it installs itself, where it may (.ci/needs).

LINT := go tool -modfile=tools/go.mod golangci-lint
# The race detector needs a C compiler. Where there is none and none can be installed, the tests run without it, and say so.
# SQLite itself, C made into Go, is left out of it: it took most of the time and its memory is not ours. Each process would wait a second at its end.
GOTEST = $(if $(shell .ci/needs gcc; command -v gcc),CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race -gcflags=modernc.org/sqlite/lib=-race=false,go test)

.DEFAULT_GOAL := help
.PHONY: help build demo test check lint bench torture clean

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

build: ## build the static binary bin/reelpass
	CGO_ENABLED=0 go build -trimpath -o bin/reelpass ./cmd/reelpass

demo: build ## publish the launch example as a rehearsal, in passes, and show where it stands
	@.ci/demo

test: ## run all tests; nothing needs to be set up before
	@.ci/needs python3 initdb ip adb appium axe chromium
	$(GOTEST) -timeout 20m ./...
	go test -timeout 20m -run 'TestSemantics|TestStoreAgainstModel|TestNothingGoesWrong' ./internal/runner ./internal/ledger ./internal/protocol

check: lint ## what a change must pass: format, vet, lint, tests in random order with the race detector, floors
	@unformatted=$$(gofmt -l cmd internal *.go); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	@.ci/needs python3 initdb ip adb appium axe chromium
	$(GOTEST) -timeout 20m -shuffle=on ./...

lint: ## run golangci-lint, built from tools/go.mod (the first time takes minutes)
	$(LINT) run ./...

bench: ## print speed and memory against bare loops, GNU parallel and River, about 20 minutes (PART=slots, scale, programs, import or server)
	@.ci/needs parallel initdb
	REELPASS_BENCH=1 go test -count=1 -v -timeout 60m -run '^TestBench$$/$(PART)' ./internal/bench

torture: ## break things for longer than the tests do (ROUNDS=200 for each store, or MINUTES=60)
	@.ci/needs initdb ip
	REELPASS_TORTURE=$(or $(ROUNDS),200) REELPASS_TORTURE_MINUTES=$(MINUTES) $(GOTEST) -count=1 -v -run '^TestTorture' -timeout 24h ./internal/torture

clean: ## remove what the other targets made
	rm -rf bin coverage.out examples/*/.reelpass examples/folder/published
