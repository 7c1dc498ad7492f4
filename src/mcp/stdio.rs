//! The protocol over stdin and stdout: each line is a message, carried to an endpoint and back.

use super::era::STATELESS_VERSION_KEY;
use crate::client::Client;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest message that is read, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many requests are carried at once; further ones are read when one is answered.
const REQUESTS_MAX: usize = 64;

/// How often is looked, once the input has ended, whether somebody still reads the answers.
const READER_LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The code of JSON-RPC for what went wrong on our side.
const INTERNAL: i32 = -32603;

/// What the threads of a bridge share.
struct Shared<W> {
    client: Client,
    output: Mutex<W>,
    under_way: Mutex<UnderWay>,
    ended: Condvar,
}

/// The requests that are not answered yet.
#[derive(Default)]
struct UnderWay {
    /// How many of them are still wanted.
    count: usize,
    /// Their ids as JSON, each with whether it was cancelled.
    cancelled: BTreeMap<String, bool>,
}

/// Carries the messages of `input` to `client`'s `/mcp`, and the answers to `output`, until the
/// input ends and all is answered, or `reader_gone`. Blocks for as long.
///
/// # Errors
/// When the input cannot be read, or has a line over 16 MiB.
pub fn bridge(
    client: Client,
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
    reader_gone: impl Fn() -> bool,
) -> io::Result<()> {
    let under_way = Mutex::default();
    let shared =
        Arc::new(Shared { client, output: Mutex::new(output), under_way, ended: Condvar::new() });
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            shared.wait_for_answers(reader_gone);
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is over 16 MiB"));
        }
        if !line.trim_ascii().is_empty() {
            take(&shared, &line);
        }
    }
}

/// Has one message carried, on a thread of its own where it may take long.
fn take<W: Write + Send + 'static>(shared: &Arc<Shared<W>>, line: &[u8]) {
    let message: Value = serde_json::from_slice(line).unwrap_or_default();
    if message["method"] == "notifications/cancelled" {
        shared.cancel(&message["params"]["requestId"].to_string());
        return;
    }
    shared.wait_until(|count| count < REQUESTS_MAX);
    shared.begin(message["id"].to_string());
    let (line, carrier) = (line.to_owned(), Arc::clone(shared));
    let thread = thread::Builder::new().name("mcp-request".to_owned());
    let work = {
        let (line, message) = (line.clone(), message.clone());
        move || carrier.carry(&message, &line)
    };
    if thread.spawn(work).is_err() {
        // Without a thread the others wait for this one.
        shared.carry(&message, &line);
    }
}

impl<W: Write> Shared<W> {
    fn carry(&self, message: &Value, line: &[u8]) {
        let answer = self.answer(message, line);
        let is_cancelled = self.end(&message["id"].to_string());
        if let Some(mut answer) = answer.filter(|_| !is_cancelled) {
            answer.push(b'\n');
            let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
            // Who reads no more wants no answer: the end of the input comes next.
            let _gone = output.write_all(&answer).and_then(|()| output.flush());
        }
        self.ended.notify_all();
    }

    /// What is answered, on one line; `None` to what wants no answer.
    fn answer(&self, message: &Value, line: &[u8]) -> Option<Vec<u8>> {
        let fault = |why: String| {
            let error = json!({"code": INTERNAL, "message": why});
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
            Some(answer.to_string().into_bytes())
        };
        let is_wanted = message.get("id").is_some() || !message.is_object();
        match self.client.post("/mcp", &headers(message), line.trim_ascii()) {
            Err(away) if is_wanted => fault(away.to_string()),
            Err(_) => None,
            Ok(answer) => match serde_json::from_slice::<Value>(&answer.body) {
                Ok(value) if value.is_array() || value["jsonrpc"] == "2.0" => {
                    Some(value.to_string().into_bytes())
                }
                Ok(problem) if is_wanted => {
                    fault(problem["detail"].as_str().unwrap_or("It was refused.").to_owned())
                }
                Err(_) if is_wanted => {
                    fault(format!("The server answers {} and no message.", answer.status))
                }
                _ => None,
            },
        }
    }

    fn begin(&self, id: String) {
        let mut under_way = self.lock();
        under_way.count += 1;
        under_way.cancelled.insert(id, false);
    }

    /// A request that nobody waits for takes nobody's place: others are carried beside it.
    fn cancel(&self, id: &str) {
        let mut under_way = self.lock();
        if under_way.cancelled.get(id) == Some(&false) {
            under_way.cancelled.insert(id.to_owned(), true);
            under_way.count -= 1;
        }
        drop(under_way);
        self.ended.notify_all();
    }

    /// Whether it was cancelled.
    fn end(&self, id: &str) -> bool {
        let mut under_way = self.lock();
        let is_cancelled = under_way.cancelled.remove(id).unwrap_or(false);
        if !is_cancelled {
            under_way.count = under_way.count.saturating_sub(1);
        }
        is_cancelled
    }

    fn wait_until(&self, is_enough: impl Fn(usize) -> bool) {
        let too_many = |under_way: &mut UnderWay| !is_enough(under_way.count);
        let waited = self.ended.wait_while(self.lock(), too_many);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until all is answered, or nobody is left to read it.
    fn wait_for_answers(&self, reader_gone: impl Fn() -> bool) {
        let mut under_way = self.lock();
        while under_way.count > 0 && !reader_gone() {
            // A reader that leaves wakes nobody.
            let waited = self.ended.wait_timeout(under_way, READER_LOOK_INTERVAL);
            under_way = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The headers that a stateless message has over HTTP.
fn headers(message: &Value) -> Vec<(&'static str, String)> {
    let params = &message["params"];
    let Some(version) = params["_meta"][STATELESS_VERSION_KEY].as_str() else { return Vec::new() };
    let mut headers = vec![("MCP-Protocol-Version", in_header(version))];
    headers.extend(message["method"].as_str().map(|method| ("Mcp-Method", in_header(method))));
    headers.extend(params["name"].as_str().map(|name| ("Mcp-Name", in_header(name))));
    headers
}

/// A text as a header can carry it: Base64 where it has what no header has.
fn in_header(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain && text.trim() == text && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stateless_message_gets_its_headers_and_others_get_none() {
        let meta = json!({STATELESS_VERSION_KEY: "2026-07-28"});
        let call = json!({"method": "tools/call", "params": {"name": "ж", "_meta": meta}});
        assert_eq!(
            headers(&call),
            [
                ("MCP-Protocol-Version", "2026-07-28".to_owned()),
                ("Mcp-Method", "tools/call".to_owned()),
                ("Mcp-Name", "=?base64?0LY=?=".to_owned()),
            ]
        );
        assert_eq!(headers(&json!({"method": "ping"})), []);
        assert_eq!(headers(&Value::Null), []);
    }
}
