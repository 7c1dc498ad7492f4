//! Reports on services for a model: a state line, the content, and what to call next.

use crate::ops::text_report::{self, Frame};
use crate::ops::{Exit, ServiceDetail, ServiceEventPage};
use crate::protocol::{
    BulkResponse, EventBody, HealthStatus, ServiceHealth, ServiceLogs, ServiceState, ServiceStatus,
    SupervisorHealth, SystemStatus, VerbResponse,
};
use crate::supervisor::EventKind;

/// The maximum size of a list, in bytes.
const TEXT_BYTES_MAX: usize = 30 * 1024;

/// Reports services, and the totals of all.
pub fn of_services(SystemStatus { services, system }: &SystemStatus) -> String {
    let lines = services.iter().map(|(name, service)| line(name, service)).collect();
    let lines = fitting(lines, "list_services name=NAME shows one");
    let begin = format!(
        "{} services | {} running | {:?} MiB | {:?} % CPU",
        system.total_services,
        system.running_services,
        system.total_memory_mb,
        system.total_cpu_percent
    );
    let body = if lines.is_empty() { "(no services)".to_owned() } else { lines.join("\n") };
    Frame::new().around(&begin, &body, "service_logs, restart_service or check_health with a name")
}

/// Describes a removal.
pub fn of_removal(name: &str) -> String {
    let message = "It is stopped, and its log stays on disk.";
    Frame::new().around(&format!("{name} | removed"), message, "list_services shows the others")
}

/// Reports the result of a request on a service, and the service's state.
pub fn of_verb(response: &VerbResponse, state: Option<&ServiceStatus>) -> String {
    let (Some(name), Some(state)) = (&response.service, state) else {
        let message = shortened(&response.message);
        return Frame::new().around(response.status.as_str(), &message, "list_services shows all");
    };
    let mut message = state.message.clone();
    // The result, if it says more than the state.
    if !response.message.is_empty() && response.message != message {
        message = format!("{}\n{message}", response.message);
    }
    let next = match state.status {
        ServiceState::Starting
        | ServiceState::Stopping
        | ServiceState::Restarting
        | ServiceState::Backoff => {
            format!("not settled: list_services name={name} shows its state")
        }
        ServiceState::Running => format!("up: service_logs name={name} reads its output"),
        ServiceState::Stopped
        | ServiceState::Exited
        | ServiceState::Crashed
        | ServiceState::Fatal => format!("down: service_logs name={name} reads its output"),
    };
    Frame::new().around(&parts(name, state).join(" | "), &message, &next)
}

/// Reports lines of a service in this state.
pub fn of_logs(logs: &ServiceLogs, state: ServiceState) -> String {
    let ServiceLogs { service: name, total_lines: total, next, .. } = logs;
    let mut body: Vec<&str> = logs.logs.iter().map(String::as_str).collect();
    let matched = logs.matched_line.as_ref().map(|line| format!("[matched: {line}]"));
    let prompt = text_report::prompt_of(logs.prompt.as_deref());
    body.extend(Some(prompt).filter(|prompt| !prompt.is_empty()));
    if body.is_empty() {
        body.push("(no output)");
    }
    body.extend(matched.as_deref());
    let range = match logs.first {
        Some(first) => format!("lines {first}-{next} of {total}"),
        None => format!("none of {total} lines"),
    };
    let skipped = match logs.skipped {
        0 => String::new(),
        lines => format!(", {lines} no longer kept"),
    };
    let reset = if logs.cursor_reset { ", after= was past the end" } else { "" };
    let call = if logs.running {
        format!("service_logs name={name} after={next} wait=20 waits for more")
    } else {
        format!("{state}: start_service name={name}, or list_services name={name} shows why")
    };
    let first = format!("{name} | {state} | {range}{skipped}{reset}");
    Frame::new().around(&first, &body.join("\n"), &call)
}

/// Reports the results of a service's health checks.
pub fn of_health(health: &ServiceHealth) -> String {
    let ServiceHealth { service: name, status, checks, response_time, .. } = health;
    let mut lines: Vec<String> =
        checks.iter().map(|(check, result)| format!("{check}: {result}")).collect();
    if lines.is_empty() {
        lines.push("(no checks ran: it has none, or is not up)".to_owned());
    }
    let took = response_time.map(|time| format!(" | {time:?} ms")).unwrap_or_default();
    let next = if *status == HealthStatus::Unhealthy {
        format!("service_logs name={name} reads its output, restart_service name={name}")
    } else {
        "list_services shows all".to_owned()
    };
    Frame::new().around(&format!("{name} | {status}{took}"), &lines.join("\n"), &next)
}

/// Reports whether the system is healthy.
pub fn of_system(health: &SupervisorHealth) -> String {
    let problems = health.services.iter();
    let lines: Vec<String> = problems.map(|(name, problem)| format!("{name}: {problem}")).collect();
    let body = if lines.is_empty() {
        "All required services are healthy.".to_owned()
    } else {
        fitting(lines, "list_services shows all").join("\n")
    };
    Frame::new().around(&format!("system | {}", health.status), &body, "list_services shows why")
}

/// Reports the outcome of a bulk request.
pub fn of_bulk(BulkResponse { operations, .. }: &BulkResponse) -> String {
    let lines = operations.iter().map(|operation| {
        let detail = operation.detail.as_ref().map(|detail| format!(": {detail}"));
        format!("{} {}{}", operation.service, operation.status, detail.unwrap_or_default())
    });
    let lines = fitting(lines.collect(), "list_services shows all").join("\n");
    let first = format!("{} services", operations.len());
    Frame::new().around(&first, &lines, "list_services shows all")
}

/// Reports the configuration of a service in this state, and how its last runs ended.
pub fn of_detail(detail: &ServiceDetail, state: ServiceState) -> String {
    let ServiceDetail { service: name, source, config, exits } = detail;
    // A struct of strings, numbers and lists always serializes.
    let config = serde_json::to_string_pretty(config).unwrap_or_default();
    let mut lines = vec![shortened(&config)];
    lines.extend(exits.iter().map(exit));
    if exits.is_empty() {
        lines.push("(no run has ended)".to_owned());
    }
    let origin = if *source == "api" { "added by a client" } else { "from the services file" };
    let first = format!("{name} | {state} | {origin}");
    let last = format!("service_logs name={name} run=… reads the output of one run");
    Frame::new().around(&first, &lines.join("\n"), &last)
}

/// Formats `run 7f… | exit code 1 | itself | 12.3 s | ended 2026-01-02T03:04:05.678901Z`
fn exit(exit: &Exit) -> String {
    let Exit { run_id, stopped_at, code, signal, ended_by, uptime } = exit;
    let code = || code.map_or_else(|| "unknown".to_owned(), |code| format!("exit code {code}"));
    let how = signal.clone().unwrap_or_else(code);
    format!("run {run_id} | {how} | {ended_by} | {uptime:.1} s | ended {stopped_at}")
}

/// Reports events, each as `7 2026-01-02T03:04:05.678901Z web running healthy: Running.`
pub fn of_events(page: &ServiceEventPage) -> String {
    let mut lines = Vec::new();
    if page.has_gap {
        lines.push("[earlier events are no longer kept: list_services shows the states]".into());
    }
    for entry in &page.events {
        let EventBody { service, status, health, message, at } = EventBody::from(&**entry);
        let change = match entry.event.change {
            EventKind::Removed => "removed".to_owned(),
            _ if health == HealthStatus::Unknown => status.to_string(),
            _ => format!("{status} {health}"),
        };
        lines.push(format!("{} {at} {service} {change}: {message}", entry.id));
    }
    if lines.is_empty() {
        lines.push("(no events)".to_owned());
    }
    let next = page.next;
    let last = format!("read_events after={next} wait=20 waits for more");
    Frame::new().around(&format!("{} events", page.events.len()), &lines.join("\n"), &last)
}

/// Formats `web | running | healthy | pid 42 | up 12.3 s | 0.4 % CPU | 21.5 MiB | port 8080 | 3
/// restarts in total | message`.
fn line(name: &str, service: &ServiceStatus) -> String {
    let mut parts = parts(name, service);
    parts.push(service.message.clone());
    parts.join(" | ")
}

/// Returns the parts of such a line, without the message.
fn parts(name: &str, service: &ServiceStatus) -> Vec<String> {
    let mut parts = vec![name.to_owned(), service.status.to_string()];
    if service.health != HealthStatus::Unknown {
        parts.push(service.health.to_string());
    }
    if let Some(pid) = service.pid {
        parts.push(format!("pid {pid}"));
        parts.push(format!("up {:.1} s", service.uptime));
        parts.push(format!("{} % CPU", service.cpu_percent));
        parts.push(format!("{} MiB", service.memory_mb));
    } else if let Some(code) = service.exit_code {
        parts.push(service.signal.clone().unwrap_or_else(|| format!("exit code {code}")));
    }
    if let Some(port) = service.port {
        parts.push(format!("port {port}"));
    }
    match service.restart_count {
        0 => {}
        1 => parts.push("1 restart in total".to_owned()),
        count => parts.push(format!("{count} restarts in total")),
    }
    parts
}

/// Returns as many of the lines as fit, and the number of the others.
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

/// Truncates a sentence to the maximum size.
fn shortened(sentence: &str) -> String {
    let end = sentence.floor_char_boundary(TEXT_BYTES_MAX);
    let cut = if end < sentence.len() { " …" } else { "" };
    format!("{}{cut}", &sentence[..end])
}
