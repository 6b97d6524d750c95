# Two commands on a machine with a Swift toolchain: `make chat` and `make test`.
SWIFT ?= swift
SCRATCH ?= .build
# Tests run in release, since debug builds compile the kernels without optimisation; one set of flags, so that nothing is built twice.
FLAGS = -c release --scratch-path $(SCRATCH) -Xswiftc -enable-testing
BUILD = $(SWIFT) build $(FLAGS) --product swiftlet

.PHONY: build chat test reasoner schema-tests kernel-checks client-tests openapi-tests page-tests mutations lint format oracle install-dependencies

install-dependencies:
	@sh Scripts/install-dependencies.sh

# Weights that were not there at the last build are no dependency of it yet.
WEIGHTS = Sources/Reasoner/weights/reasoner.gguf
build: install-dependencies
	@if [ -f $(WEIGHTS) ] && [ $(WEIGHTS) -nt Sources/Reasoner/reasoner.c ]; then touch Sources/Reasoner/reasoner.c; fi
	$(BUILD)

# Builds, fetches the default model on the first run, and opens a chat. MODEL=… chooses another one.
# Standard input and output are the chat's alone.
chat:
	@$(MAKE) --no-print-directory build </dev/null >&2
	@"$$($(BUILD) --show-bin-path </dev/null)/swiftlet" chat $(MODEL)

# `swift test` builds with settings of its own, so the build is apart: what `make chat` built is not built again. One test after
# the other: they use all cores themselves, and some watch the clock.
test: install-dependencies
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build --no-parallel

# Trains a model to be part of the program, from nothing: runs/reasoner/reasoner.gguf, to be copied to Sources/Reasoner/weights. An hour or more
# of two cores; goes on where it was stopped. docs/reasoner.md tells of it.
reasoner: build
	python3 Recipes/reasoner/make.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet"

# Samples every schema of the corpus under random logits, and has jsonschema judge the outputs. Needs Python, for its package jsonschema.
ORACLE ?= .build-oracle
schema-tests: install-dependencies
	$(SWIFT) build $(FLAGS) --build-tests
	[ -x $(ORACLE)/schemas/bin/python ] || python3 -m venv $(ORACLE)/schemas
	$(ORACLE)/schemas/bin/python -m pip install -q 'jsonschema[format]==4.26.0'
	SWIFTLET_SCHEMA_SAMPLES=$(abspath $(ORACLE))/schema-samples.jsonl $(SWIFT) test $(FLAGS) --skip-build --no-parallel \
	  --filter SchemaCorpusTests
	$(ORACLE)/schemas/bin/python -W ignore Tests/ConstraintsTests/make_fixtures.py --judge $(ORACLE)/schema-samples.jsonl

# Every operation of every kernel variant, here and on old x86 CPUs and arm64 under QEMU; docs/kernels.md tells of the others.
kernel-checks:
	SWIFT=$(SWIFT) KERNEL_CHECKS_BUILD=$(SCRATCH)/kernel-checks Tests/KernelChecks/run.sh

# The server with the clients of OpenAI and Anthropic from Python's package index, and the small real model; gaps in texts are filled by a
# model that is trained for it, which takes some minutes the first time, and thoughts are those of the reasoner in the program.
CLIENTS = $(SCRATCH)/clients
client-tests: build
	test -x $(CLIENTS)/bin/python || python3 -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet openai anthropic httpx
	$(CLIENTS)/bin/python Tests/ServerTests/clients.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet"
	$(CLIENTS)/bin/python Tests/ServerTests/fill_in_middle.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet"
	$(CLIENTS)/bin/python Tests/ServerTests/thinking.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet"

# The server against its OpenAPI document, by Schemathesis, with the small real model. EXAMPLES=… and SEED=… choose others.
OPENAPI = $(SCRATCH)/openapi
EXAMPLES ?= 20
openapi-tests: build
	test -x $(OPENAPI)/bin/python || python3 -m venv $(OPENAPI)
	$(OPENAPI)/bin/pip install --quiet 'schemathesis==4.32.5' jsonschema httpx
	$(OPENAPI)/bin/python Tests/ServerTests/openapi.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet" --examples $(EXAMPLES) --seed $(SEED)

# The chat page in a Chromium, with the small real model. CHROMIUM=… names one that is not found; Debian's package is called chromium.
PAGE = $(SCRATCH)/page
page-tests: build
	test -x $(PAGE)/bin/python || python3 -m venv $(PAGE)
	$(PAGE)/bin/pip install --quiet playwright
	$(PAGE)/bin/python Tests/PageTests/page.py --swiftlet "$$($(BUILD) --show-bin-path)/swiftlet" $(if $(CHROMIUM),--chromium $(CHROMIUM))

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Examples

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Examples

# Makes the oracle fixtures anew; needs Python, whose packages (Scripts/oracle-requirements.txt) go to a folder of their own, $(ORACLE).
oracle:
	sh Scripts/make-oracles.sh

# A million broken inputs, spread over all parsers, with AddressSanitizer, in a build of its own; takes an hour. N=… and SEED=… choose others.
N ?= 1000000
SEED ?= 1
mutations: install-dependencies
	$(SWIFT) run -c release --scratch-path $(SCRATCH)-address --sanitize=address SwiftletMutations $(N) $(SEED)
