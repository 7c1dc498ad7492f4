//! llm-shell: runs shell commands over HTTP and supervises services, with every line of their
//! output on disk.
//!
//! # Layers
//! A module imports only from the layers below its own. The HTTP/1.1 server is a crate of its own,
//! `crates/http1`, which knows nothing of this one.
//!
//! | layer | modules |
//! |---|---|
//! | binary | `main`: parses the command line, runs, sets the exit code |
//! | 8 | [`app`]: composition: settings in, a running server, an orderly shutdown; systemd |
//! | 7 | [`mcp`]: tools for models · [`settings`]: flags and variables · [`shutdown`]: signals |
//! | 7 | [`export`]: the services file as Kubernetes manifests |
//! | 6 | [`api`]: HTTP routes and `OpenAPI` · [`client`]: `llm-shell ctl` |
//! | 5 | [`ops`]: the operations that clients can ask for, once for HTTP and MCP |
//! | 4 | [`supervisor`]: services |
//! | 3 | [`runs`]: the life of one command · [`probe`]: health checks |
//! | 2 | [`permits`]: limits of concurrent requests · [`auth`]: who may use the server |
//! | 2 | [`process`]: spawning, signals, /proc · [`logs`]: the log engine |
//! | 1 | [`error`]: kinds of errors, errors of the system · [`catch_panic`]: caught panics |
//! | 1 | [`keys`]: keys of a terminal by name |
//! | 0 | [`http1`]: the HTTP/1.1 server · [`env_file`]: `NAME=value` · [`nearest`]: similar names |
//! | 0 | [`printable`]: escaping for terminals · [`protocol`]: wire types · `syscall`: retries |
//!
//! # Threads
//! | name | owner | work | ends |
//! |---|---|---|---|
//! | `main` | the process | waits for signals | with the process |
//! | `log-writer` | [`logs::LogWriter`] | reads output, appends it, reports ends | `finish` |
//! | `screen-feeder` | [`logs::RawOutput`] | feeds an emulator what is dropped | with that |
//! | `log-ends` | [`logs::LogWriter`] | reports ends while the disk does not respond | `finish` |
//! | `reaper` | [`process::Reaper`] | reaps orphans, and statuses a debugger held | drop |
//! | `spawner` | [`process::Reaper`] | spawns children; more where one hangs | with its children |
//! | `http-accept`, `http-…` | [`http1::Server`] | accepts; one serves each connection | `finish` |
//! | `http-standby` | `http-accept` | serve where no thread can be started | with that |
//! | `probe` | [`supervisor`], [`ops`] | runs one health check | with its timeout |
//! | `probe-resolve` | [`probe::Prober`] | resolves a host name, one a check | with the answer |
//! | `second-signal` | [`app`] | forces the shutdown | with the process |
//! | `supervisor` | [`supervisor::Supervisor`] | decides what happens to services | `shut_down` |
//! | `launcher` | `supervisor` | launches services; more where one hangs | with that |
//! | `session` | [`runs::Session`] | drives the shell of one session | with the shell |
//! | `sampler` | who samples many processes | samples a share of them | with the sample |
//! | `ending`, `launcher-apart` | `supervisor` | ends one tree | with that |
//! | `ending-reserve` | `supervisor` | ends trees where no thread can be started | with that |
//! | `bulk` | [`supervisor::Bulk`] | one operation on several services | when they have settled |
//! | `reload` | [`app`] | waits for SIGHUP, reloads the services file | with the process |
//! | `status`, `watchdog` | [`app`] | notify systemd | with the process |
//! | `mcp-stdio` | [`app`] | reads messages from stdin | with stdin, or with the process |
//! | `mcp-request` | [`mcp`] | answers one of them | with the answer |
//!
//! # How an end is reported
//! The kernel makes the leader's pidfd readable. The log writer, which waits for it together with
//! the pipe, writes what the pipe holds to disk, waits 100 ms for others if they hold the pipe, and
//! only then calls the manager. The manager reaps the leader (where a debugger holds the status,
//! the reaper does when that lets go), records the end under its `inner` lock, and wakes those who
//! wait for it. So a client that reads "ended" finds all that was printed before. Where the disk
//! does not respond for 250 ms, the thread `log-ends`, which waits for the same pidfd, calls the
//! manager, and the end is marked: its output is not on disk yet. No thread waits for the disk
//! while another one already does.
//!
//! # Locks, in the order in which they may be taken
//! 0. A reload of the services file; the list of services; the snapshot of one: the engine takes no
//!    other while it holds one of these.
//! 1. `operation` of a manager: over a whole start or restart.
//! 2. `inner` of a manager: for a copy or an assignment; never across a wait, a read or a write.
//!    The state of a session, then that of its command: likewise; the log's length may follow.
//! 3. The reaper's registry of children: during one scan for dead ones, never during a launch; then
//!    the list of idle spawners, briefly.
//! 4. The cache of open logs of old runs: while one is opened.
//! 5. The name of the last log, then the state of the ledger: briefly. The ledger's file has a lock
//!    of its own, held while lines are written.
//! 6. The emulator of a terminal, while it is fed; then its raw output, briefly.
//! 7. The length of a log; the inbox of the log writer; a usage meter, then its sampler: briefly.
//!
//! # Files
//! `LOG_DIR/*.log` are the logs, `*.log.1` the older parts of rotated ones, `*.log.raw` the
//! output of terminals as printed, `.runs` the ledger, and `.lock` excludes other servers. Only
//! [`logs`] opens them.
//!
//! # Web panel
//! `src/panel` holds its files as they are served: `shell` and `astra` are the two pages, `common`
//! is shared. [`api`] has the table of them; no other module knows of them.
//!
//! # Limits
//! Those that can be set are rows of [`settings::SETTINGS`]; the others are constants beside what
//! they limit: [`http1::Limits`], [`process::COMMAND_BYTES_MAX`].

pub mod api;
pub mod app;
pub mod auth;
pub mod catch_panic;
pub mod client;
pub mod env_file;
pub mod error;
pub mod event_log;
pub mod export;
pub mod keys;
pub mod logs;
pub mod mcp;
pub mod nearest;
pub mod ops;
pub mod permits;
pub mod printable;
pub mod probe;
pub mod process;
pub mod protocol;
pub mod runs;
pub mod settings;
pub mod shutdown;
pub mod supervisor;
mod syscall;
