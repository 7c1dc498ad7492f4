//! llm-shell: one shell command at a time over HTTP, or the services of a file, with every line of
//! their output on disk.
//!
//! # The map
//! Imports point down only; rooms on one floor never import each other. The HTTP/1.1 server is a
//! crate of its own, `crates/http1`, which knows nothing of this one.
//!
//! | floor | rooms |
//! |---|---|
//! | roof | `main`: parse, run, exit code |
//! | 8 | [`app`]: wires the floors |
//! | 7 | [`mcp`]: for models · [`settings`] · [`shutdown`]: signals to us · [`notify`]: systemd |
//! | 7 | [`export`]: our services for Kubernetes |
//! | 6 | [`api`]: HTTP routes, errors to status codes · [`client`]: asks a server |
//! | 5 | [`ops`]: what clients can ask for, once for HTTP and MCP |
//! | 4 | [`supervisor`]: many services at once |
//! | 3 | [`runs`]: one command's life · [`probe`]: health checks |
//! | 2 | [`permits`]: limits of how many at once · [`auth`]: who may use the server |
//! | 2 | [`process`]: the kernel edge · [`logs`]: the log engine |
//! | 1 | [`error`]: what can go wrong, as facts · [`catch_panic`]: what may panic |
//! | ground | [`http1`]: the HTTP/1.1 server · [`env_file`]: `NAME=value` · [`nearest`]: names |
//! | ground | [`printable`]: what terminals are shown · [`protocol`]: wire types |
//!
//! # Threads
//! | name | owner | does | ends |
//! |---|---|---|---|
//! | `main` | the process | waits for signals to end | with the process |
//! | `log-writer` | [`logs::LogWriter`] | reads output, appends it, reports ends | `finish` |
//! | `log-ends` | the same | reports ends where the disk does not answer | `finish` |
//! | `reaper` | [`process::Reaper`] | collects dead orphans, and statuses a debugger held | drop |
//! | `spawner` | the same | makes children; more where one hangs | with its children |
//! | `http-accept`, `http-…` | [`http1::Server`] | one for the door, one a connection | `finish` |
//! | `http-standby` | the thread `http-accept` | serve where no thread can be had | with that |
//! | `probe` | [`supervisor`], [`ops`] | looks once with a health check | with its timeout |
//! | `probe-resolve` | [`probe::Prober`] | looks a host up, one a check | when that is answered |
//! | `second-signal` | [`app`] | hurries the end, or forces it | with the process |
//! | `supervisor` | [`supervisor::Supervisor`] | decides about each service | `shut_down` |
//! | `launcher` | the thread `supervisor` | launches services; more where one hangs | with that |
//! | `sampler` | who samples many processes | looks at a share of them | with the sample |
//! | `ending`, `launcher-apart` | the thread `supervisor` | ends one tree | with that |
//! | `ending-reserve` | the same | ends trees where no thread is to be had | with that |
//! | `bulk` | [`supervisor::Bulk`] | one verb for several services | when they have settled |
//! | `reload` | [`app`] | waits for SIGHUP, and reads the services file | with the process |
//! | `status`, `watchdog` | [`app`], [`notify`] | tell systemd how we are | with the process |
//! | `mcp-stdio` | [`app`] | reads messages from stdin | with stdin, or with the process |
//! | `mcp-request` | [`mcp`] | answers one of them | when it is answered |
//!
//! # How an end is told
//! The kernel makes the leader's pidfd readable. The log writer, which waits for it together with
//! the pipe, takes what the pipe holds to disk, waits for others that hold the pipe (100 ms), and
//! only then calls the manager. The manager collects the leader's status (where a debugger holds
//! it, the reaper does when that lets go), records the end under its `inner` lock, and wakes those
//! who wait for it. So whoever reads "ended" finds all that was printed before. Where the disk does
//! not answer for 250 ms, the thread `log-ends`, which waits for the same pidfd, calls the manager,
//! and the end is marked: its output is not on disk yet. Nothing that waits for the disk is done
//! where another thread waits for it already.
//!
//! # Locks, in the order in which they may be taken
//! 0. A reload of the services file; the list of services; what is known of one: the engine takes
//!    no other while it holds one of these.
//! 1. `operation` of a manager: over a whole start or restart.
//! 2. `inner` of a manager: for a copy or an assignment; never across a wait, a read or a write.
//! 3. The reaper's register of children: over one look for the dead, never over a launch; then
//!    the list of idle spawners, for a moment.
//! 4. The logs of old runs that are open: over the reading of one that was not.
//! 5. The name of the last log, then what the ledger of runs knows: for a moment each. Its file has
//!    a lock of its own, over the writing of a line.
//! 6. How far a log is written; the inbox of the log writer; a usage meter, then its sampler:
//!    for a moment each.
//!
//! # What lies on disk
//! `LOG_DIR/*.log` are the logs, `*.log.1` the older parts of those that were rotated, `.runs` the
//! ledger, `.lock` what keeps a second server out. Only [`logs`] touches them.
//!
//! # The web panel
//! `src/panel` holds its files as they are served: `shell` and `astra` are the two pages, `common`
//! is what both stand on. [`api`] has the table of them; nothing else knows that they are there.
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
pub mod export;
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
