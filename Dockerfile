# The LLM Shell and Astra in a container; docs/CONTAINERS.md says how to run it. Build it with
# BuildKit: docker build -t llm-shell .
ARG RUST=1.95
ARG DEBIAN=trixie

FROM rust:${RUST}-slim-${DEBIAN} AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock build.rs ./
COPY crates crates
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin llm-shell \
    && install target/release/llm-shell /usr/local/bin/

FROM debian:${DEBIAN}-slim
LABEL org.opencontainers.image.title="llm-shell" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# Certificates are for health checks and clients that ask https.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 llm-shell \
    && useradd --uid 10001 --gid 10001 --create-home --shell /bin/sh llm-shell \
    && install -d -o llm-shell -g llm-shell -m 0700 /workspace /var/log/llm-shell
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/llm-shell/
# Its user can run it and not read it, so that nothing reads its memory in its first moment either.
COPY --from=build --chmod=0711 /usr/local/bin/llm-shell /usr/local/bin/

# Beyond loopback the server does not start without LLM_SHELL_TOKEN, LLM_SHELL_TOKEN_FILE, or a
# password.
ENV LLM_SHELL_HOST=0.0.0.0 \
    LLM_SHELL_LOG_DIR=/var/log/llm-shell
# By number, so that Kubernetes sees that it is not root.
USER 10001:10001
WORKDIR /workspace
VOLUME ["/var/log/llm-shell"]
# The LLM Shell; Astra.
EXPOSE 8000 7031
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["llm-shell", "ctl", "health"]
# In exec form: the server is PID 1, gets the signal to stop, and reaps orphans.
ENTRYPOINT ["llm-shell"]
