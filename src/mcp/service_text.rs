//! What a model reads of services: a line of state, what was asked for, what to call next.

use crate::api::told;
use serde_json::Value;

/// How much a list has at most, in bytes.
const TEXT_BYTES_MAX: usize = 30 * 1024;

/// All services, or some of them, and the system.
pub fn of_services(data: &Value) -> String {
    let system = &data["system"];
    let services = data["services"].as_object().into_iter().flatten();
    let lines: Vec<String> = services.map(|(name, state)| line(name, state)).collect();
    let lines = fitting(lines, "list_services name=NAME tells of one");
    let [total, running] = ["total_services", "running_services"].map(|it| &system[it]);
    let [memory, cpu] = ["total_memory_mb", "total_cpu_percent"].map(|it| &system[it]);
    let begin = format!("[{total} services | {running} running | {memory} MiB | {cpu} % CPU]");
    let body = if lines.is_empty() { "(no services)".to_owned() } else { lines.join("\n") };
    format!("{begin}\n{body}\n[service_logs, restart_service or check_health of one by its name]\n")
}

/// What a verb came to.
pub fn of_verb(data: &Value, state: Option<&Value>) -> String {
    let (Some(name), Some(state)) = (data["service"].as_str(), state) else {
        let message = shortened(word(&data["message"]));
        return format!("[{}]\n{message}\n[list_services shows all]\n", word(&data["status"]));
    };
    let mut parts = parts(name, state);
    let mut message = parts.pop().unwrap_or_default();
    // What was done, where that is more than what the service is now.
    let done = word(&data["message"]);
    if !done.is_empty() && done != message {
        message = format!("{done}\n{message}");
    }
    let next = match word(&state["status"]) {
        "starting" | "stopping" | "restarting" | "backoff" => {
            format!("not settled: list_services name={name} looks again")
        }
        "running" => format!("up: service_logs name={name} reads its output"),
        _ => format!("down: service_logs name={name} tells what it said"),
    };
    format!("[{}]\n{message}\n[{next}]\n", parts.join(" | "))
}

/// Lines of a service that is in this state.
pub fn of_logs(data: &Value, state: &str) -> String {
    let name = word(&data["service"]);
    let lines = data["logs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut body: Vec<&str> = lines.collect();
    let prompt = told::prompt_of(data["prompt"].as_str());
    body.extend(Some(prompt).filter(|prompt| !prompt.is_empty()));
    if body.is_empty() {
        body.push("(no output)");
    }
    let (total, next) = (&data["total_lines"], &data["next"]);
    let range = match data["first"].as_u64() {
        Some(first) => format!("lines {first}-{next} of {total}"),
        None => format!("none of {total} lines"),
    };
    let skipped = data["skipped"].as_u64().map(|lines| format!(", {lines} no longer kept"));
    let reset = if data["cursor_reset"] == true { ", after= was beyond them" } else { "" };
    let range = range + &skipped.unwrap_or_default() + reset;
    let call = if data["running"] == true {
        format!("service_logs name={name} after={next} wait=20 waits for more")
    } else {
        format!("{state}: start_service name={name}, or list_services name={name} tells why")
    };
    format!("[{name} | {state} | {range}]\n{}\n[{call}]\n", body.join("\n"))
}

/// What the checks of a service found.
pub fn of_health(data: &Value) -> String {
    let name = word(&data["service"]);
    let checks = data["checks"].as_object().into_iter().flatten();
    let mut lines: Vec<String> =
        checks.map(|(check, found)| format!("{check}: {}", word(found))).collect();
    if lines.is_empty() {
        lines.push("(no checks ran: it has none, or is not up)".to_owned());
    }
    let took = data["response_time"].as_f64().map(|time| format!(" | {time} ms"));
    let next = if data["status"] == "unhealthy" {
        format!("service_logs name={name} tells what it says, restart_service name={name}")
    } else {
        "list_services shows all".to_owned()
    };
    let status = word(&data["status"]);
    format!("[{name} | {status}{}]\n{}\n[{next}]\n", took.unwrap_or_default(), lines.join("\n"))
}

/// Whether the system is well.
pub fn of_system(data: &Value) -> String {
    let services = data["services"].as_object().into_iter().flatten();
    let lines: Vec<String> =
        services.map(|(name, state)| format!("{name}: {}", word(state))).collect();
    let body = if lines.is_empty() {
        "Every required service is as it should be.".to_owned()
    } else {
        fitting(lines, "list_services shows all").join("\n")
    };
    format!("[system | {}]\n{body}\n[list_services tells why]\n", word(&data["status"]))
}

/// What became of several.
pub fn of_bulk(data: &Value) -> String {
    let operations = data["operations"].as_array().into_iter().flatten();
    let lines: Vec<String> = operations
        .map(|it| {
            let detail = it["detail"].as_str().map(|detail| format!(": {detail}"));
            let detail = detail.unwrap_or_default();
            format!("{} {}{detail}", word(&it["service"]), word(&it["status"]))
        })
        .collect();
    let count = lines.len();
    let lines = fitting(lines, "list_services shows all").join("\n");
    format!("[{count} services]\n{lines}\n[list_services shows all]\n")
}

/// `web | running | healthy | pid 42 | up 12.3 s | 0.4 % CPU | 21.5 MiB | port 8080 |
/// 3 restarts in all | why`
fn line(name: &str, state: &Value) -> String {
    parts(name, state).join(" | ")
}

/// The same, each part by itself: the message is the last.
fn parts(name: &str, state: &Value) -> Vec<String> {
    let mut parts = vec![name.to_owned(), word(&state["status"]).to_owned()];
    if state["health"] != "unknown" {
        parts.push(word(&state["health"]).to_owned());
    }
    if let Some(pid) = state["pid"].as_i64() {
        parts.push(format!("pid {pid}"));
        let [up, cpu, memory] = ["uptime", "cpu_percent", "memory_mb"]
            .map(|field| state[field].as_f64().unwrap_or_default());
        parts.push(format!("up {up:.1} s"));
        parts.push(format!("{cpu} % CPU"));
        parts.push(format!("{memory} MiB"));
    } else if let Some(code) = state["exit_code"].as_i64() {
        parts.push(state["signal"].as_str().map_or(format!("exit code {code}"), str::to_owned));
    }
    if let Some(port) = state["port"].as_u64() {
        parts.push(format!("port {port}"));
    }
    match state["restart_count"].as_u64() {
        None | Some(0) => {}
        Some(1) => parts.push("1 restart in all".to_owned()),
        Some(count) => parts.push(format!("{count} restarts in all")),
    }
    parts.push(word(&state["message"]).to_owned());
    parts
}

/// As many of the lines as fit into a text, and how many more there are.
fn fitting(mut lines: Vec<String>, rest: &str) -> Vec<String> {
    let mut bytes = 0;
    let fits = |line: &&String| {
        bytes += line.len() + 1;
        bytes <= TEXT_BYTES_MAX
    };
    let count = lines.iter().take_while(fits).count();
    let left = lines.len() - count;
    lines.truncate(count);
    if left > 0 {
        lines.push(format!("… and {left} more: {rest}"));
    }
    lines
}

/// As much of a sentence as fits into a text.
fn shortened(sentence: &str) -> String {
    let end = sentence.floor_char_boundary(TEXT_BYTES_MAX);
    let cut = if end < sentence.len() { " …" } else { "" };
    format!("{}{cut}", &sentence[..end])
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
