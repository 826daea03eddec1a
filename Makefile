# Two commands matter: `make run` and `make test`. Both need Go; the second installs the rest or says what is missing.

GOFLAGS_RELEASE = -trimpath -ldflags='-s -w'

.PHONY: run test bench lint fuzz build tidy

run: ## start the server at http://localhost:8080, data in ./data
	go run ./cmd/server

build: ## the two programs, in bin/
	CGO_ENABLED=0 go build $(GOFLAGS_RELEASE) -o bin/ ./cmd/server ./cmd/hush

test: ## everything that must hold
	sh .ci/test

bench: ## the whole program against its floors, then the parts
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./internal/bench
	go test -run '^$$' -bench . -benchmem ./crypto/... ./internal/store/... ./internal/httpd

lint: ## the linters, of the version that tools.mod pins
	go tool -modfile=tools.mod golangci-lint run ./...

fuzz: ## each fuzz target for FUZZTIME
	sh .ci/fuzz $(or $(FUZZTIME),20s)

tidy:
	go mod tidy
	cd crypto/wycheproof && go mod tidy
