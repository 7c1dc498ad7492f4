//! `llm-shell mcp --detach`: the server of a user, started by whichever client needs it first.

use super::mcp::serve;
use super::state::{runtime_directory, state_directory};
use super::{StartError, Startup, own_directory};
use crate::client::{Client, ClientError, Streamed};
use crate::mcp::{Remote, StartPlace};
use crate::process;
use crate::settings::ENVIRONMENT_PREFIX;
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The time limit for a start of the server, including an earlier one's end.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The interval of checks whether the server listens, or whether another client has started it: no
/// event announces either.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The time between two starts of the server.
const RESTART_INTERVAL: Duration = Duration::from_millis(200);

/// The exit code of a server that another start does not help.
const INVALID_SETTING: i32 = 2;

/// How many requests may wait or stream at once: each client has one of them.
const STREAMS_MAX: &str = "512";

/// The settings that the server does not take from the environment of the client that starts it:
/// those of credentials, because no other client has them, and those that are given as flags.
const NOT_PASSED_ON: [&str; 7] = [
    "LLM_SHELL_TOKEN",
    "LLM_SHELL_TOKEN_FILE",
    "LLM_SHELL_TOKENS_FILE",
    "LLM_SHELL_BASIC_AUTH",
    "LLM_SHELL_BASIC_AUTH_FILE",
    "LLM_SHELL_SOCKET",
    "LLM_SHELL_MAX_STREAMS",
];

/// The other variables that the server itself needs. Its commands get those of their client.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "RUST_LOG"];

/// The server of a user.
struct UserServer {
    socket: PathBuf,
    /// The lock of the client that starts it.
    lock: PathBuf,
    log_directory: PathBuf,
    /// How long it lives without clients and runs.
    idle_max: Duration,
    client: Client,
    /// Whether this client is announced to it.
    is_announced: Arc<AtomicBool>,
}

/// Forwards messages between stdin and stdout and the server of this user, which is started when
/// there is none, until stdin ends. Commands run in the working directory and the environment of
/// this process. Blocks until then.
///
/// # Errors
/// `NoRuntimeDirectory`, `NoStateDirectory`; `Client` if the server cannot be started; `Machine` if
/// stdin cannot be read.
pub fn detach(startup: Startup, idle_max: Duration) -> Result<(), StartError> {
    let Startup { settings, environment } = startup;
    let runtime = runtime_directory()?;
    let directory = own_directory()?;
    let log_directory = if settings.set_by.contains_key("LLM_SHELL_LOG_DIR") {
        directory.join(settings.log_directory)
    } else {
        state_directory()?.join("detached")
    };
    let socket = runtime.join("llm-shell.sock");
    let client = Client::of_socket(socket.clone(), None);
    let (lock, is_announced) = (runtime.join("llm-shell.lock"), Arc::default());
    let server =
        UserServer { socket, lock, log_directory, idle_max, client: client.clone(), is_announced };
    let ensure = move || {
        let cannot_start = |error| format!("cannot start the server of this user: {error}");
        server.ensure_running().map_err(cannot_start)
    };
    ensure().map_err(ClientError::Failed)?;
    let texts = environment.into_iter();
    let texts = texts
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let place = StartPlace { directory, environment: texts.collect() };
    Ok(serve(Remote::new(client).started_on_demand(place, Box::new(ensure)))?)
}

impl UserServer {
    /// Starts the server unless it listens, and announces this client to it. Blocks until it
    /// listens, 20 seconds at most.
    fn ensure_running(&self) -> io::Result<()> {
        if !self.listens() {
            let deadline = Instant::now() + START_TIMEOUT;
            // Held until the server listens, so that clients that start at once start one server.
            let lock = File::create(&self.lock)?;
            while lock.try_lock().is_err() {
                wait_before(deadline, "another client is starting the server")?;
            }
            while !self.listens() {
                self.start(deadline)?;
            }
        }
        if !self.is_announced.swap(true, Ordering::SeqCst) {
            self.announce();
        }
        Ok(())
    }

    fn listens(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// Starts the server. Blocks until it listens or has ended, because one before it has not.
    fn start(&self, deadline: Instant) -> io::Result<()> {
        let folder = &self.log_directory;
        let named = |error| io::Error::other(format!("{}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        let log_path = self.log_directory.join("server.txt");
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--socket".into()];
        arguments.push(self.socket.clone().into());
        arguments.extend(["--log-dir".into(), self.log_directory.clone().into()]);
        arguments.extend(["--max-streams", STREAMS_MAX, "--end-when-idle"].map(OsString::from));
        arguments.push(self.idle_max.as_secs().to_string().into());
        let is_passed_on = |name: &OsString| {
            let is_setting = name.to_string_lossy().starts_with(ENVIRONMENT_PREFIX);
            let is_excluded = NOT_PASSED_ON.iter().any(|other| name == other);
            (is_setting && !is_excluded) || PASSED_ON.iter().any(|other| name == other)
        };
        // The last one counts: without another level, each request would add a line to its log.
        let level = [("RUST_LOG".into(), "warn".into())].into_iter();
        let own = env::vars_os().filter(|(name, _)| is_passed_on(name));
        let environment = level.chain(own).collect();
        let log = File::create(&log_path)?;
        let mut server = process::spawn_server(&env::current_exe()?, arguments, environment, log)?;
        loop {
            if self.listens() {
                // It ends after this client, or before: then somebody has to collect it.
                let collect = move || drop(server.wait());
                thread::Builder::new().name("mcp-server".to_owned()).spawn(collect)?;
                return Ok(());
            }
            let why = format!("the server does not start: see {}", log_path.display());
            wait_before(deadline, &why)?;
            if let Some(status) = server.try_wait()? {
                if status.code() == Some(INVALID_SETTING) {
                    return Err(io::Error::other(why));
                }
                thread::sleep(RESTART_INTERVAL);
                return Ok(());
            }
        }
    }

    /// Keeps a stream of events open as long as this process and the server live: the server ends
    /// itself when there are neither such streams nor runs.
    fn announce(&self) {
        let (client, is_announced) = (self.client.clone(), Arc::clone(&self.is_announced));
        let read = move || {
            if let Ok(Streamed::Body(mut events)) =
                client.stream("/events", "text/event-stream", None)
            {
                // Until the server ends.
                let _ended = io::copy(&mut events, &mut io::sink());
            }
            // Announced again at the next call.
            is_announced.store(false, Ordering::SeqCst);
        };
        let thread = thread::Builder::new().name("mcp-announce".to_owned());
        if thread.spawn(read).is_err() {
            self.is_announced.store(false, Ordering::SeqCst);
        }
    }
}

/// Waits for the next check, or fails after the deadline for this reason.
fn wait_before(deadline: Instant, why: &str) -> io::Result<()> {
    if Instant::now() >= deadline {
        return Err(io::Error::new(io::ErrorKind::TimedOut, why.to_owned()));
    }
    thread::sleep(CHECK_INTERVAL);
    Ok(())
}
