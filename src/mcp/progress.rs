//! Progress of tool calls: notifications while a call waits, for clients that asked for them.

use serde_json::{Value, json};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The time between two notifications.
const INTERVAL: Duration = Duration::from_secs(5);

/// The progress of a call.
pub struct Progress {
    token: Value,
    began: Instant,
}

impl Progress {
    /// Returns the progress of a message; `None` unless it is a tool call with a token.
    pub fn of(message: &Value) -> Option<Self> {
        let token = &message["params"]["_meta"]["progressToken"];
        let has_token = token.is_string() || token.is_i64() || token.is_u64();
        let is_asked = message["method"] == "tools/call" && has_token;
        is_asked.then(|| Self { token: token.clone(), began: Instant::now() })
    }

    /// Does `work`, and meanwhile passes a notification to `report` every 5 seconds, on a thread
    /// that has ended when this returns.
    pub fn during<T>(&self, mut report: impl FnMut(Value) + Send, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let (is_done, done) = channel::<()>();
            let tick = move || {
                while done.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    report(self.notification());
                }
            };
            let ticker = thread::Builder::new().name("mcp-progress".to_owned());
            // Without a thread, the call is answered without notifications.
            let _ticker = ticker.spawn_scoped(scope, tick);
            let result = work();
            drop(is_done);
            result
        })
    }

    fn notification(&self) -> Value {
        let seconds = self.began.elapsed().as_secs();
        let message = format!("{seconds} s");
        let params = json!({"progressToken": self.token, "progress": seconds, "message": message});
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tool_calls_with_a_token_have_progress() {
        let call = |method: &str, token: Value| {
            let params = json!({"_meta": {"progressToken": token}});
            json!({"method": method, "params": params})
        };
        for token in [json!(7), json!("a")] {
            let progress = Progress::of(&call("tools/call", token.clone())).unwrap();
            assert_eq!(progress.notification()["params"]["progressToken"], token);
        }
        for other in [call("ping", json!(7)), call("tools/call", json!(null)), json!([]), json!(1)]
        {
            assert!(Progress::of(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn result_does_not_wait_for_the_next_notification() {
        let progress = Progress { token: json!(1), began: Instant::now() };
        assert_eq!(progress.during(|_| {}, || 5), 5);
        assert!(progress.began.elapsed() < INTERVAL);
    }
}
