//! A browser of its own for each test: Chromium, driven over WebDriver.

use crate::harness::{eventually, kill};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long a command to the browser may take, on a machine under load.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// A browser with one page. It is stopped with all of its processes when dropped.
pub struct Browser {
    driver: Child,
    /// URL for commands, including the session once there is one.
    url: String,
    agent: ureq::Agent,
    /// Profile folder. Its path is in the command lines of the browser's processes.
    profile: TempDir,
}

/// Size and colour scheme of the window.
#[derive(Clone, Copy, Debug)]
pub struct Viewport {
    pub width: u32,
    pub height: u32,
    pub scheme: &'static str,
}

/// A desktop window with the light scheme.
pub const DESKTOP: Viewport = Viewport { width: 1440, height: 900, scheme: "light" };
/// A phone with the dark scheme.
pub const PHONE: Viewport = Viewport { width: 360, height: 780, scheme: "dark" };

impl Browser {
    /// Starts a browser with a desktop window.
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs (Debian: chromium-driver)");
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let port: u16 = lines
            .find_map(|line| {
                let line = line.expect("what chromedriver says");
                line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        // Its output is no longer read, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(COMMAND_TIMEOUT)).build().into();
        let profile = tempfile::tempdir().expect("a fresh folder");
        let url = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, url, agent, profile };
        browser.open_session();
        browser.set_viewport(DESKTOP);
        browser
    }

    fn open_session(&mut self) {
        let mut args = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--disable-crash-reporter".to_owned(),
            "--disable-background-networking".to_owned(),
            format!("--user-data-dir={}", self.profile.path().display()),
        ];
        if nix::unistd::geteuid().is_root() {
            args.push("--no-sandbox".to_owned());
        }
        let wanted = json!({
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let opened = self.command("", &json!({"capabilities": {"alwaysMatch": wanted}}));
        let id = opened["sessionId"].as_str().expect("a session").to_owned();
        self.url = format!("{}/{id}", self.url);
    }

    /// Sends a command; fails if the browser refuses it.
    #[track_caller]
    pub fn command(&self, path: &str, body: &Value) -> Value {
        self.try_command(path, body).unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// Sends a command; returns the browser's error if it refuses it.
    pub fn try_command(&self, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.url);
        let sent = self.agent.post(&url).content_type("application/json").send(body.to_string());
        answered(sent)
    }

    fn get(&self, path: &str) -> Value {
        let answer = answered(self.agent.get(format!("{}{path}", self.url)).call());
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sends a Chromium DevTools command.
    fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Sets the size and the colour scheme of the window.
    pub fn set_viewport(&self, viewport: Viewport) {
        let size = json!({"width": viewport.width, "height": viewport.height, "deviceScaleFactor": 1,
            "mobile": false});
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!([{"name": "prefers-color-scheme", "value": viewport.scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.chromium("Emulation.setEmulatedMedia", &json!({"features": scheme}));
    }

    /// Goes to a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url }));
    }

    /// Runs a function's body in the page and returns its result.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.run_with(script, &json!([]))
    }

    /// The same with arguments.
    #[track_caller]
    pub fn run_with(&self, script: &str, args: &Value) -> Value {
        self.command("/execute/sync", &json!({"script": script, "args": args}))
    }

    /// Returns a screenshot of the window, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        use base64::Engine;
        let picture = self.get("/screenshot");
        let picture = picture.as_str().expect("a picture");
        base64::prelude::BASE64_STANDARD.decode(picture).expect("base64")
    }

    /// Returns the console's errors and warnings since the last call.
    pub fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().expect("entries").iter();
        let serious = entries.filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG");
        serious.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Returns the pids and command lines of processes whose command line contains a text.
fn processes_in_line(text: &str) -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        let line = std::fs::read(path.join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    processes.filter(|(_, line)| line.contains(text)).collect()
}

fn answered(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, String> {
    let mut answer = answer.map_err(|error| error.to_string())?;
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_string();
    let body = body.map_err(|error| error.to_string())?;
    let mut body: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
    let value = body["value"].take();
    if answer.status().is_success() { Ok(value) } else { Err(value["message"].to_string()) }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the console:\n{:#?}", self.try_console());
        }
        // A broken session ends with the driver.
        let _ended = self.agent.delete(&self.url).call();
        let _gone = self.driver.kill();
        let _ended = self.driver.wait();
        let profile = self.profile.path().display().to_string();
        if std::thread::panicking() {
            for (pid, _) in processes_in_line(&profile) {
                kill("KILL", pid);
            }
            return;
        }
        eventually("the browser's processes end", || {
            processes_in_line(&profile).is_empty().then_some(())
        });
    }
}

impl Browser {
    fn try_console(&self) -> Option<Value> {
        self.try_command("/se/log", &json!({"type": "browser"})).ok()
    }
}
