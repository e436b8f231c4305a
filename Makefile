# The two commands of the README, and what they are made of. Everything is in scripts/; this file only names it.

.PHONY: help run test build release lint format bench clean

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## install what is needed, build, and play every scenario in the simulation
	@scripts/run

test: ## install what the tests need, and pass them all
	@scripts/test

build: ## a debug build
	@scripts/build debug

release: ## a release build, .build/release/simsan
	@scripts/build release

lint: ## is the layout as .swift-format says?
	@scripts/lint

format: ## lay the Swift files out
	@scripts/lint --fix

bench: release ## measure against tgt and the floor, into docs/performance.md
	@scripts/install bench
	@Benchmarks/run

clean: ## remove what was built
	@rm -rf .build reports
