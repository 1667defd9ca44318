# Every target installs what it needs, or says what is missing.

CARGO ?= cargo
# For how long `make fuzz` runs each target.
FUZZ_SECONDS ?= 600
CLUSTER = $(CARGO) run --quiet --locked --bin credence-cluster --

.PHONY: demo test soak check lint deny generate cluster cluster-down image bench fuzz fuzz-short fuzz-tools tools

# The product in one process: an embedded provider refuses a call without a
# key, then answers the development call and the live call. (The dev profile:
# it builds in a fraction of the time.)
demo: tools
	$(CARGO) run --quiet --locked -p credence-cli -- demo --exit

# Everything: lints, a minute of each fuzz target, then all tests: also those
# with real clients and servers, which are installed, and those on a real
# Kubernetes, which is started here, as root, and taken down again.
test: lint deny fuzz-short
	CREDENCE_TEST_CLIENTS=1 CREDENCE_TEST_CLUSTER=new $(CARGO) test --locked --workspace

# The long cases on a cluster of their own: outages of minutes, hundreds of
# edits. None takes longer than ten minutes.
soak: tools
	CREDENCE_TEST_CLUSTER=new $(CARGO) test --locked --workspace --test cluster -- --soak

# Lints and all tests that need no cluster and no network.
check: lint
	$(CARGO) test --quiet --locked --workspace

lint: tools
	$(CARGO) fmt --all --check
	cd fuzz && $(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# Licences, origins, duplicates and advisories of what we depend on.
deny: tools
	@tests/deny.sh

# What is generated from the types and committed; a test fails when it drifts.
generate: tools
	$(CARGO) run --quiet --locked --example generate
	cp crds/yaml/*.yaml charts/credence/files/
	UPDATE_GOLDEN=1 $(CARGO) test --quiet --locked --workspace --test reference

# A real Kubernetes on this machine. Its last two lines say how to reach it.
cluster: tools
	@$(CLUSTER) up

cluster-down: tools
	@$(CLUSTER) down

# The sidecar beside nginx and HAProxy, same provider and same load, in one run:
# processor time by request, memory and latency.
bench: tools
	@tests/bench-tools.sh
	PATH="$$PATH:/usr/sbin" $(CARGO) run --release --quiet --locked -p credence-tests --bin bench

# Inputs that no test thought of, for the HTTP/1.1 codec, other parsers beside it.
fuzz: fuzz-tools
	fuzz/run.sh $(FUZZ_SECONDS)

fuzz-short: fuzz-tools
	cd fuzz && $(CARGO) clippy --release --all-targets -- -D warnings
	fuzz/run.sh 60

fuzz-tools:
	@tests/tools.sh fuzz

# Image archives for `docker load` and `ctr images import`.
image: tools
	@$(CLUSTER) images

tools:
	@tests/tools.sh
