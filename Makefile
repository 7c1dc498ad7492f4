# `make test` is the second of the two commands: it installs what the tests need and runs them all.

MAKEFLAGS += --no-print-directory

.PHONY: test panel python example browser mcp-clients contract screenshots kubernetes prometheus check deny package attacks mutations bench-http fuzz kills fleet service-kills peers compare compare-page machine soak

# The programs that the tests drive or stand on, and the Debian packages that bring them.
TOOLS := curl:curl ip:iproute2 script:bsdutils openssl:openssl python3:python3 unshare:util-linux setsid:util-linux setpriv:util-linux nsenter:util-linux useradd:passwd mount:mount ps:procps systemd-analyze:systemd node:nodejs npm:npm \
	vi:vim-tiny less:less chromium:chromium chromedriver:chromium-driver

NGINX := target/nginx

# Installs the packages of those of a list that are missing, with these options of apt-get.
define install
	@missing=""; \
	for tool in $(1); do \
		command -v "$${tool%%:*}" >/dev/null || missing="$$missing $${tool##*:}"; \
	done; \
	python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -qq -y $(2) $$missing; fi
endef

test: $(if $(shell PATH="$$PATH:/usr/sbin" command -v nginx),,$(NGINX)/usr/sbin/nginx)
	$(call install,$(TOOLS))
	$(MAKE) panel
	cargo test --workspace
	$(MAKE) example
	$(MAKE) mcp-clients
	$(MAKE) prometheus
	$(MAKE) contract
	$(MAKE) kubernetes
	python3 benches/soak/soak.py --binary $(DEBUG)/llm-shell --seconds 60
	$(MAKE) browser

# The proxy of SECURITY.md. Its package is only unpacked: installed, it would start at every boot.
$(NGINX)/usr/sbin/nginx:
	mkdir -p $(NGINX)
	cd $(NGINX) && (apt-get download -qq nginx || \
		(apt-get update -qq && apt-get download -qq nginx)) && dpkg-deb -x nginx_*.deb .

# The web panel: its types, and the modules that need no browser.
PANEL := tests/panel

panel: $(PANEL)/node_modules/.package-lock.json
	$(PANEL)/node_modules/.bin/tsc --project $(PANEL)
	node --test $(wildcard $(PANEL)/*.test.js)

$(PANEL)/node_modules/.package-lock.json: $(PANEL)/package-lock.json
	npm --prefix $(PANEL) ci --loglevel=error

# examples/astra: its page by itself, then all of it under the debug binary.
DEBUG := $(or $(CARGO_TARGET_DIR),target)/debug
ASTRA_WEB := examples/astra/web
ASTRA_VENV := target/astra-venv

example: $(ASTRA_VENV)/installed $(ASTRA_WEB)/node_modules/.package-lock.json
	cargo build --bin llm-shell
	npm --prefix $(ASTRA_WEB) run typecheck
	npm --prefix $(ASTRA_WEB) test
	npm --prefix $(ASTRA_WEB) run build
	python3 tests/astra/example.py $(DEBUG)/llm-shell $(ASTRA_VENV)/bin/python

$(ASTRA_VENV)/installed: examples/astra/services/requirements.txt
	python3 -m venv $(ASTRA_VENV)
	$(ASTRA_VENV)/bin/pip install --quiet -r $<
	touch $@

$(ASTRA_WEB)/node_modules/.package-lock.json: $(ASTRA_WEB)/package-lock.json
	npm --prefix $(ASTRA_WEB) ci --loglevel=error

# The Model Context Protocol: the official conformance suite, and real clients of both languages.
MCP_CLIENTS := tests/mcp
MCP_VENV := target/mcp-venv

mcp-clients: $(MCP_VENV)/installed $(MCP_CLIENTS)/node_modules/.package-lock.json
	cargo build --bin llm-shell
	python3 $(MCP_CLIENTS)/conformance.py $(DEBUG)/llm-shell
	$(MCP_VENV)/bin/python $(MCP_CLIENTS)/clients.py $(DEBUG)/llm-shell

$(MCP_VENV)/installed: $(MCP_CLIENTS)/requirements.txt
	python3 -m venv $(MCP_VENV)
	$(MCP_VENV)/bin/pip install --quiet -r $<
	touch $@

$(MCP_CLIENTS)/node_modules/.package-lock.json: $(MCP_CLIENTS)/package-lock.json
	npm --prefix $(MCP_CLIENTS) ci --loglevel=error

# A real Prometheus with the rules and the questions of examples/prometheus. Its package is only
# unpacked: installed, it would begin to serve.
PROMETHEUS := target/prometheus

prometheus: $(PROMETHEUS)/usr/bin/promtool
	cargo build --bin llm-shell
	python3 tests/prometheus/real.py $(PROMETHEUS)/usr/bin/prometheus $< $(DEBUG)/llm-shell

$(PROMETHEUS)/usr/bin/promtool:
	mkdir -p $(PROMETHEUS)
	cd $(PROMETHEUS) && (apt-get download -qq prometheus || \
		(apt-get update -qq && apt-get download -qq prometheus)) && dpkg-deb -x prometheus_*.deb .

# The web panel in Chromium; axe-core looks whether everybody can use it.
BROWSER := tests/browser

browser: $(BROWSER)/node_modules/.package-lock.json
	cargo test --test browser -- --skip speed
	cargo test --test browser -- speed --nocapture --test-threads=1

# Draws every view of the web panel into docs/screenshots.
screenshots:
	command -v pngquant >/dev/null || (apt-get update -qq && apt-get install -qq -y pngquant)
	cargo test --test browser every_view_is_drawn -- --ignored
	pngquant --force --ext .png --skip-if-larger docs/screenshots/*.png

$(BROWSER)/node_modules/.package-lock.json: $(BROWSER)/package-lock.json
	npm --prefix $(BROWSER) ci --loglevel=error

# The debug binary, held to its own document by schemathesis, in both modes.
CONTRACT_VENV := target/contract-venv

contract: $(CONTRACT_VENV)/installed
	cargo build --bin llm-shell
	python3 tests/openapi/contract.py $(DEBUG)/llm-shell $(CONTRACT_VENV)/bin

$(CONTRACT_VENV)/installed: tests/openapi/requirements.txt
	python3 -m venv $(CONTRACT_VENV)
	$(CONTRACT_VENV)/bin/pip install --quiet -r $<
	touch $@

# What `llm-shell export kubernetes` prints, held to the schemas that Kubernetes publishes.
EXPORT_VENV := target/export-venv

kubernetes: $(EXPORT_VENV)/installed
	cargo build --bin llm-shell
	$(EXPORT_VENV)/bin/python tests/export/validate.py $(DEBUG)/llm-shell

$(EXPORT_VENV)/installed: tests/export/requirements.txt
	python3 -m venv $(EXPORT_VENV)
	$(EXPORT_VENV)/bin/pip install --quiet -r $<
	touch $@

# The Python of benches, tests and examples, by ruff.toml.
RUFF_VENV := target/ruff-venv

python: $(RUFF_VENV)/installed
	$(RUFF_VENV)/bin/ruff check --quiet
	$(RUFF_VENV)/bin/ruff format --check --quiet

$(RUFF_VENV)/installed: tests/harness/requirements.txt
	python3 -m venv $(RUFF_VENV)
	$(RUFF_VENV)/bin/pip install --quiet -r $<
	touch $@

# What must hold before every commit, apart from the tests.
check: python
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	CUSTOM_LIBFUZZER_PATH=$(CURDIR)/not-linked cargo check --quiet \
		--manifest-path fuzz/Cargo.toml

# Licences, doubled crates and sources of what we stand on, by deny.toml. The tool is built without
# what asks the network, and without optimisation: that takes less time than it saves. It reads the
# crates of all systems, of which a build has fetched those of this one.
deny:
	command -v cargo-deny >/dev/null || \
		cargo install --locked --debug --no-default-features cargo-deny
	cargo fetch --locked --quiet
	cargo deny --offline check licenses bans sources

# The packages as they would be published: no warning, and what is in them builds.
package:
	@said=$$(cargo package --workspace --locked --allow-dirty 2>&1); status=$$?; echo "$$said"; \
	case "$$said" in *warning*) exit 1;; esac; exit $$status

RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

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

# libFuzzer over the whole server, the services file and the log engine, so long for each target:
# `make fuzz FUZZ_SECONDS=300`. Threads that are ending while the process exits look like leaks;
# `make mutations` counts the real ones.
FUZZ_SECONDS := 60
FUZZ_TARGETS := connection query headers body services log_lines message

fuzz:
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target && ASAN_OPTIONS=detect_leaks=0 \
			RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=fuzz/target \
			cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
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
