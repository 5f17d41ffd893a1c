# The commands of the README. Everything is built with CMake presets into build/<preset>; see CMakePresets.json.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# One recipe at a time: the parallelism is in ninja and ctest.
.NOTPARALLEL:

JOBS ?= $(shell nproc)
# ci or quick: the size of the crash laboratory in `make test`.
HOLDFAST_LAB ?= ci
PREFIX ?= /usr/local
DESTDIR ?=
FORMAT := clang-format-14
TIDY := clang-tidy-14
# A second clone on the same machine finds the objects of the first in ccache.
export CCACHE_BASEDIR := $(CURDIR)

configure = cmake --preset $(1) $(if $(V),,--log-level=WARNING)
build = $(call configure,$(1)) && cmake --build --preset $(1) --parallel $(JOBS)
ctest = ctest --preset $(1) --parallel $(JOBS) --output-log build/$(1)/ctest.log
sources = $$(git ls-files --cached --others --exclude-standard '*.h' '*.hpp' '*.cc')

.PHONY: help
help: ## what there is to do
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
	@echo "  Variables: JOBS=$(JOBS) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) V=1 (verbose)"

.PHONY: demo
demo: deps-demo ## ingest real data, kill the process again and again, lose nothing
	$(call build,product)
	scripts/demo

.PHONY: test
test: deps-test format-check test-release lab-ci test-asan-ubsan test-tsan ## everything: all suites under release, ASan+UBSan, TSan, both compilers; the crash laboratory
	@for preset in release asan-ubsan tsan; do printf '\n== %s\n' $$preset; \
	  sed -n '/% tests passed/p; /^Total Test time/p' build/$$preset/ctest.log; done
	@printf '\n== crash laboratory\n'; cat build/crash-lab/figures.txt

.PHONY: crash-lab lab-ci
crash-lab: deps-test ## the crash laboratory with the figures of a release; ROWS="states kills" for some rows
	scripts/crash-lab --release $(ROWS)
lab-ci: deps-test ## the crash laboratory with the figures of make test, about 25 minutes
	scripts/crash-lab --$(HOLDFAST_LAB) $(ROWS)

.PHONY: test-fast
test-fast: deps-test test-release ## the release suite only

.PHONY: bench
bench: deps-bench ## the figures of docs/figures.md
	$(call build,bench)
	scripts/bench

.PHONY: lint
lint: deps-test format-check tidy ## clang-format and clang-tidy; the include rules are part of the tests

.PHONY: format
format: ## rewrite every source with clang-format
	$(FORMAT) -i $(sources)

.PHONY: install
install: deps-build ## library, headers, command and CMake package into PREFIX (DESTDIR is honoured)
	$(call build,product)
	DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX) --strip

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: format-check
format-check:
	@$(FORMAT) --dry-run -Werror $(sources) && echo "clang-format: clean"

.PHONY: tidy
tidy:
	$(call configure,dev)
	@sed -n 's|.*"file": "\($(CURDIR)/src/.*\.cc\)".*|\1|p' build/dev/compile_commands.json | \
	  xargs -P $(JOBS) -n 1 $(TIDY) --quiet -p build/dev && echo "clang-tidy: clean"

.PHONY: deps-build deps-demo deps-bench deps-test
# deps-<group>: the build packages and those of the group.
deps-build:
	@scripts/install-deps build
deps-demo:
	@scripts/install-deps build demo
deps-bench:
	@scripts/install-deps build bench
deps-test:
	@scripts/install-deps build test bench

# build-<preset>, test-<preset>: e.g. `make test-dev`.
presets := release product bench dev asan-ubsan tsan fuzz plants
.PHONY: $(presets:%=build-%) $(presets:%=test-%)
$(presets:%=build-%): build-%:
	$(call build,$*)
$(presets:%=test-%): test-%: build-%
	$(call ctest,$*)

.PHONY: coverage
coverage: deps-test ## line coverage of storage, recovery and commit; branches of the end-of-log decision
	scripts/coverage $(JOBS)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: deps-test ## every fuzz target for FUZZ_SECONDS (fuzz/README.md)
	$(call build,fuzz)
	fuzz/run $(FUZZ_SECONDS) $(JOBS)
