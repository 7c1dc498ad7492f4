//! One service, read from its fields.

use super::checks::read_checks;
use super::config::{Condition, LogLimits, RestartMode, RestartPolicy, ServiceConfig};
use super::fields::Fields;
use super::node::Node;
use super::port::port_of;
use crate::logs::LOG_BYTES_MIN;
use crate::nearest;
use crate::process::{COMMAND_BYTES_MAX, CommandLine, ResourceLimits, Signal};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The largest limits that can be asked for: 1 TiB in MiB, 1,024 cores, and the kernel's own
/// `PID_MAX_LIMIT`.
const MEMORY_MB_MAX: u64 = 1024 * 1024;
const CPU_PERCENT_MAX: f64 = 102_400.0;
const PROCESSES_MAX: u64 = 4_194_304;

/// Reads a service; `known` are the names that it can depend on. Faults are noted.
pub(super) fn read_service(node: &Node<'_>, name: &str, known: &[&str]) -> Option<ServiceConfig> {
    let mut fields = node.fields()?;
    let command = read_command(&mut fields);
    let health_checks = read_checks(&mut fields);
    let port = fields.read("port", |node| node.whole_number(&(1..=u64::from(u16::MAX))));
    let config = ServiceConfig {
        port: port
            .or_else(|| command.as_ref().and_then(port_of))
            .or_else(|| health_checks.first().and_then(|(_, check)| check.check.port())),
        // Where there is none, a fault is noted and the rest is read for its own faults.
        command: command.unwrap_or_else(|| CommandLine::Arguments(Vec::new())),
        health_checks,
        directory: read_path(&mut fields, "cwd").unwrap_or_else(|| ".".into()),
        environment: fields.read("env", read_environment).unwrap_or_default(),
        env_file: read_path(&mut fields, "env_file"),
        is_optional: fields.read("optional", Node::flag).unwrap_or(false),
        autostart: fields.read("autostart", Node::flag).unwrap_or(true),
        restart_policy: fields.read("restart_policy", read_policy).unwrap_or_default(),
        start_timeout: read_seconds(&mut fields, "start_timeout", 60),
        start_seconds: read_seconds(&mut fields, "start_seconds", 1),
        depends_on: fields
            .read("depends_on", |node| read_dependencies(node, name, known))
            .unwrap_or_default(),
        stop_signal: fields.read("stop_signal", read_signal).unwrap_or(Signal::TERM),
        stop_timeout: read_seconds(&mut fields, "stop_timeout", 10),
        reload_signal: fields.read("reload_signal", read_signal),
        pty: fields.read("pty", Node::flag).unwrap_or(false),
        log: fields.read("log", read_log).unwrap_or_default(),
        limits: fields.read("limits", read_limits).unwrap_or_default(),
    };
    fields.finish();
    Some(config)
}

fn read_command(fields: &mut Fields<'_>) -> Option<CommandLine> {
    let Some(node) = fields.take("cmd") else {
        fields.fault("has no cmd: give it something to run");
        return None;
    };
    command(&node)
}

/// Reads a command: a list of arguments, or text for the shell. The shell expands what stands in
/// its text, so that is left as it is.
pub(super) fn command(node: &Node<'_>) -> Option<CommandLine> {
    let command = if node.is_text() {
        CommandLine::Shell(argument(node, Node::plain_text)?)
    } else if node.is_list() {
        let items = node.items()?.into_iter();
        CommandLine::Arguments(
            items.map(|item| argument(&item, Node::text)).collect::<Option<_>>()?,
        )
    } else {
        return node.refuse("a list of arguments, or a string for the shell");
    };
    let first = match &command {
        CommandLine::Shell(text) => Some(text),
        CommandLine::Arguments(arguments) => arguments.first(),
    };
    if first.is_none_or(|first| first.trim().is_empty()) {
        node.fault("is empty: give it something to run");
        return None;
    }
    Some(command)
}

fn argument<'r>(node: &Node<'r>, read: impl FnOnce(&Node<'r>) -> Option<String>) -> Option<String> {
    let text = read(node)?;
    if text.len() > COMMAND_BYTES_MAX {
        node.fault(format!("is longer than the {COMMAND_BYTES_MAX} bytes that the kernel takes"));
        return None;
    }
    Some(text)
}

fn read_path(fields: &mut Fields<'_>, name: &'static str) -> Option<PathBuf> {
    fields.read(name, Node::full_text).map(PathBuf::from)
}

fn read_seconds(fields: &mut Fields<'_>, name: &'static str, default: u64) -> Duration {
    fields.read(name, Node::seconds).unwrap_or(Duration::from_secs(default))
}

fn read_environment(node: &Node<'_>) -> Option<BTreeMap<String, Option<String>>> {
    let mut environment = BTreeMap::new();
    for entry in node.fields()?.all() {
        if entry.name.is_empty() || entry.name.contains('=') {
            entry.key.fault("cannot be a variable: a name is not empty and has no `=`");
        }
        let value = if entry.value.is_null() {
            None
        } else if entry.value.is_text() {
            Some(entry.value.text().unwrap_or_default())
        } else {
            // What it is may be a secret.
            entry.value.fault("must be a string, or null to remove it");
            None
        };
        environment.insert(entry.name, value);
    }
    Some(environment)
}

fn read_policy(node: &Node<'_>) -> Option<RestartPolicy> {
    let mut fields = node.fields()?;
    let default = RestartPolicy::default();
    let mode = fields.read("mode", |node| word(node, &RestartMode::WORDS));
    let max_restarts = fields.read("max_restarts", |n| n.whole_number(&(0..=u64::from(u32::MAX))));
    let backoff = fields.read("backoff_seconds", Node::seconds).unwrap_or(default.backoff);
    let backoff_max = fields.read("max_backoff_seconds", Node::seconds);
    let policy = RestartPolicy {
        mode: mode.unwrap_or(default.mode),
        max_restarts: max_restarts.unwrap_or(default.max_restarts),
        backoff,
        backoff_multiplier: fields
            .read("backoff_multiplier", Node::factor)
            .unwrap_or(default.backoff_multiplier),
        // Whoever asks for a longer wait, and names no longest one, means it.
        backoff_max: backoff_max.unwrap_or(default.backoff_max.max(backoff)),
        reset_after: fields
            .read("reset_after_seconds", Node::seconds)
            .unwrap_or(default.reset_after),
    };
    fields.finish();
    Some(policy)
}

fn read_dependencies(
    node: &Node<'_>,
    name: &str,
    known: &[&str],
) -> Option<BTreeMap<String, Condition>> {
    let mut dependencies = BTreeMap::new();
    let mut add = |node: &Node<'_>, other: String, condition| {
        if other == name {
            node.fault(format!("is a cycle: {name} -> {name}"));
        } else if !known.contains(&other.as_str()) {
            let meant = nearest::meant(&other, known.iter().copied());
            let meant = meant.map_or(String::new(), |name| format!(": did you mean \"{name}\"?"));
            node.fault(format!("there is no service \"{other}\"{meant}"));
        } else if dependencies.insert(other, condition).is_some() {
            node.fault("is given twice: take one of them out");
        }
    };
    if node.is_list() {
        for item in node.items()? {
            if let Some(other) = item.text() {
                add(&item, other, Condition::Started);
            }
        }
    } else if node.json().starts_with('{') {
        for entry in node.fields()?.all() {
            if let Some(condition) = word(&entry.value, &Condition::WORDS) {
                add(&entry.key, entry.name, condition);
            }
        }
    } else {
        return node.refuse("a list of services, or an object from service to condition");
    }
    Some(dependencies)
}

fn read_signal(node: &Node<'_>) -> Option<Signal> {
    // A number is a number, a name a string.
    let text = match node.integer() {
        Some(number) => number.to_string(),
        None => node.text()?,
    };
    text.parse().map_err(|wanted: String| node.refuse::<()>(&wanted)).ok()
}

fn read_log(node: &Node<'_>) -> Option<LogLimits> {
    let mut fields = node.fields()?;
    let bytes_max = fields.read("max_bytes", |n| n.whole_number(&(LOG_BYTES_MIN..=u64::MAX)));
    let runs_max = fields.read("keep", |node| node.whole_number(&(1..=u64::MAX)));
    fields.finish();
    Some(LogLimits { bytes_max, runs_max })
}

fn read_limits(node: &Node<'_>) -> Option<ResourceLimits> {
    let mut fields = node.fields()?;
    let memory_mb = fields.read("memory_mb", |node| node.whole_number(&(1..=MEMORY_MB_MAX)));
    let cpu_percent = fields.read("cpu_percent", |node| node.percent(CPU_PERCENT_MAX));
    let processes = fields.read("processes", |node| node.whole_number(&(1..=PROCESSES_MAX)));
    fields.finish();
    Some(ResourceLimits { memory_mb, cpu_percent, processes })
}

fn word<T: Copy>(node: &Node<'_>, words: &[(&'static str, T)]) -> Option<T> {
    let text = node.text()?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let all: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        node.fault(format!("must be {}, and it is {text:?}", all.join(" or ")));
    }
    found.map(|(_, value)| *value)
}
