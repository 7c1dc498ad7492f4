//! An agent, by curl or by tools: what it calls, and what its model reads.

use crate::harness::Instance;
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// How an agent reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Requests with `Accept: text/plain`.
    Curl,
    /// Calls of tools.
    Tools,
}

pub const BOTH: [By; 2] = [By::Curl, By::Tools];

/// An agent, and what it has cost so far.
pub struct Agent<'a> {
    server: &'a Instance,
    by: By,
    cost: RefCell<(usize, usize)>,
}

impl<'a> Agent<'a> {
    pub fn new(server: &'a Instance, by: By) -> Self {
        Self { server, by, cost: RefCell::default() }
    }

    /// Prints the number of calls and the bytes that the model has read, and returns them.
    #[allow(clippy::print_stdout, reason = "the numbers are to be seen with --nocapture")]
    pub fn cost(&self, task: &str) -> (usize, usize) {
        let (calls, bytes) = *self.cost.borrow();
        println!("| {task} | {:?} | {calls} | {bytes} |", self.by);
        (calls, bytes)
    }

    /// Starts a command; returns the report.
    #[track_caller]
    pub fn start(&self, body: &Value) -> String {
        match self.by {
            By::Curl => self.request("POST /runs", &body.to_string(), 201),
            By::Tools => self.tool("start_command", body),
        }
    }

    /// Runs a command in a session, which is there.
    #[track_caller]
    pub fn exec(&self, session: &str, command: &str) -> String {
        let body = json!({"command": command, "wait": 30});
        match self.by {
            By::Curl => self.request(&format!("POST /runs/{session}/exec"), &body.to_string(), 200),
            By::Tools => self.tool("start_command", &merged(&body, &json!({"session": session}))),
        }
    }

    /// Waits for a run; returns the report.
    #[track_caller]
    pub fn wait(&self, run: &str, how: &Value) -> String {
        match self.by {
            By::Curl => self.request(&format!("GET /runs/{run}?{}", query(how)), "", 200),
            // The report of GET /runs/{run} has 4 KB of output at most.
            By::Tools => self.tool("wait", &merged(how, &json!({"run": run, "max_bytes": 4096}))),
        }
    }

    /// Reads lines of a run's output.
    #[track_caller]
    pub fn read(&self, run: &str, how: &Value) -> String {
        match self.by {
            By::Curl => {
                let query = query(&merged(how, &json!({"format": "text"})));
                self.request(&format!("GET /runs/{run}/logs?{query}"), "", 200)
            }
            By::Tools => self.tool("read_logs", &merged(how, &json!({"run": run}))),
        }
    }

    /// Returns the lines of a run's screen.
    #[track_caller]
    pub fn screen(&self, run: &str) -> String {
        match self.by {
            By::Curl => self.request(&format!("GET /runs/{run}/logs?format=screen"), "", 200),
            By::Tools => self.tool("read_logs", &json!({"run": run, "screen": true})),
        }
    }

    /// Writes text, then presses keys, and waits for the reaction.
    #[track_caller]
    pub fn input(&self, run: &str, text: &str, keys: &[&str], until: &str) -> String {
        match self.by {
            By::Curl => {
                let body = json!({"data": text, "keys": keys, "wait": 20, "until": until});
                self.json(&format!("POST /runs/{run}/stdin"), &body.to_string())
            }
            By::Tools => {
                let body =
                    json!({"run": run, "text": text, "keys": keys, "wait": 20, "until": until});
                self.tool("send_input", &body)
            }
        }
    }

    /// Ends a run.
    #[track_caller]
    pub fn kill(&self, run: &str) -> String {
        match self.by {
            By::Curl => self.request(&format!("POST /runs/{run}/kill"), "", 200),
            By::Tools => self.tool("kill", &json!({"run": run})),
        }
    }

    /// Calls a tool and asserts success.
    #[track_caller]
    pub fn tool(&self, name: &str, arguments: &Value) -> String {
        let params = json!({"name": name, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let answer = self.server.request("POST /mcp", &[], message.to_string().as_bytes());
        let result = answer.expect(200).json()["result"].clone();
        assert_eq!(result["isError"], false, "{name} {arguments}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert_eq!(result["structuredContent"]["text"], *text);
        self.count(text)
    }

    #[track_caller]
    fn request(&self, line: &str, body: &str, status: u16) -> String {
        let headers = &["Accept: text/plain"];
        self.count(self.server.request(line, headers, body.as_bytes()).expect(status).text())
    }

    #[track_caller]
    fn json(&self, line: &str, body: &str) -> String {
        let headers = &["Content-Type: application/json"];
        self.count(self.server.request(line, headers, body.as_bytes()).expect(200).text())
    }

    fn count(&self, text: String) -> String {
        let mut cost = self.cost.borrow_mut();
        *cost = (cost.0 + 1, cost.1 + text.len());
        text
    }
}

fn merged(one: &Value, other: &Value) -> Value {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let all: Map<String, Value> = fields(one).into_iter().chain(fields(other)).collect();
    Value::Object(all)
}

fn query(fields: &Value) -> String {
    let fields = fields.as_object().unwrap().iter();
    let pairs = fields.map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
    });
    pairs.collect::<Vec<_>>().join("&")
}
