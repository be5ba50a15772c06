# Which commands build, run and check postern? `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# rustup's directory comes first: a distribution's own cargo does not read rust-toolchain.toml.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
CARGO_DENY := 0.20.2

.PHONY: help run test check fmt bench faults kafka tidy clean

help: ## lists these commands
	@echo 'postern: make COMMAND'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

run: ## sets everything up, then shows postern at work (postern demo; embedded Kafka, no Java)
	@scripts/setup.sh build
	@echo 'run: building postern (the first time takes some minutes)'
	@exec cargo run --locked -p postern -- demo

test: ## sets everything up, then runs every check and every test (with a real Kafka)
	@scripts/setup.sh test
	@$(MAKE) check
	@echo 'test: cargo test --workspace --locked'
	@cargo test --workspace --locked --no-fail-fast
	@echo 'test: cargo bench -p postern-edge --bench counts (instructions and allocations, not times)'
	@cargo bench --locked -p postern-edge --bench counts
	@echo 'test: the short form of make faults'
	@cargo build --locked -p postern -p postern-judge
	@$${CARGO_TARGET_DIR:-target}/debug/judge run --short
	@echo 'test: everything passed'

check: ## format, lints and what must be absent, without a test
	@echo 'check: cargo fmt --all --check'
	@cargo fmt --all --check
	@echo 'check: cargo clippy --workspace --all-targets'
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@echo 'check: scripts/absences.sh'
	@scripts/absences.sh

fmt: ## formats the sources
	@cargo fmt --all

bench: ## what a notification costs, beside hyper, librdkafka and mq-bridge; also ARGS=--quick, ARGS=--help
	@scripts/setup.sh bench
	@echo 'bench: building the release (the first time takes some minutes)'
	@# One after the other: built together they would share features, and the postern that ships has its own.
	@cargo build --release --locked -p postern
	@cargo build --release --locked -p postern-bench
	@ulimit -n $$(ulimit -H -n) && exec $${CARGO_TARGET_DIR:-target}/release/bench $(or $(ARGS),--docs docs)

kafka: ## a real Kafka for development on 127.0.0.1:9092 (needs Java and Maven)
	@exec deploy/kafka-dev.sh

faults: ## kills, pauses and starves real processes under load; writes FAULTS.md; ARGS='kill-postern --seed 7'
	@scripts/setup.sh faults
	@echo 'faults: building the release (the first time takes some minutes)'
	@# One after the other, as for bench: the postern that is judged is the one that ships.
	@cargo build --release --locked -p postern
	@cargo build --release --locked -p postern-judge
	@exec $${CARGO_TARGET_DIR:-target}/release/judge run --markdown FAULTS.md $(ARGS)

tidy: ## licences, bans and sources of all dependencies (installs cargo-deny)
	@scripts/tidy.sh $(CARGO_DENY)

clean: ## deletes all that was built and fetched, the data of `make kafka` too
	@echo 'clean: cargo clean'
	@cargo clean
