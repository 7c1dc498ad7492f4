//! The health checks of a service, read from its fields.

use super::config::HealthCheck;
use super::fields::{Entry, Fields};
use super::file::is_service_name;
use super::node::Node;
use super::service::command;
use crate::probe::Check;
use std::time::Duration;

/// What the single `health_check` is named.
const SINGLE_NAME: &str = "http_endpoint";

/// The shortest interval, in seconds.
const INTERVAL_SECONDS_MIN: f64 = 0.1;

/// The shortest timeout, in seconds.
const TIMEOUT_SECONDS_MIN: f64 = 0.001;

/// Reads `health_check` or `health_checks`.
pub(super) fn read_checks(fields: &mut Fields<'_>) -> Vec<(String, HealthCheck)> {
    let (single, several) = (fields.take("health_check"), fields.take("health_checks"));
    match (single, several) {
        (Some(_), Some(several)) => {
            several.fault("stands beside health_check: put that one in here as well");
            Vec::new()
        }
        (Some(single), None) => {
            read_check(&single).map(|check| (SINGLE_NAME.to_owned(), check)).into_iter().collect()
        }
        (None, Some(several)) => read_several(&several),
        (None, None) => Vec::new(),
    }
}

fn read_several(node: &Node<'_>) -> Vec<(String, HealthCheck)> {
    let entries = node.fields().map(Fields::all).unwrap_or_default();
    let read = |entry: Entry<'_>| {
        if !is_service_name(&entry.name) {
            entry.key.fault("cannot be a name: use letters, digits, `.`, `_` and `-`, 64 at most");
        }
        Some((entry.name, read_check(&entry.value)?))
    };
    entries.into_iter().filter_map(read).collect()
}

fn read_check(node: &Node<'_>) -> Option<HealthCheck> {
    let mut fields = node.fields()?;
    let check = read_subject(&mut fields);
    let seconds = Duration::from_secs;
    let timeout = fields.read("timeout", |node| node.seconds_from(TIMEOUT_SECONDS_MIN));
    let interval = fields.read("interval", |node| node.seconds_from(INTERVAL_SECONDS_MIN));
    let start_period = fields.read("start_period", Node::seconds);
    let retries = fields.read("retries", |node| node.whole_number(&(1..=u64::from(u32::MAX))));
    let restart_on_failure = fields.read("restart_on_failure", Node::flag);
    fields.finish();
    Some(HealthCheck {
        check: check?,
        timeout: timeout.unwrap_or(seconds(5)),
        interval: interval.unwrap_or(seconds(10)),
        start_period: start_period.unwrap_or_default(),
        retries: retries.unwrap_or(3),
        restart_on_failure: restart_on_failure.unwrap_or(false),
    })
}

/// Reads what a check looks at: just one of `url`, `tcp` and `cmd`.
fn read_subject(fields: &mut Fields<'_>) -> Option<Check> {
    let subjects = ["url", "tcp", "cmd"].map(|name| (name, fields.take(name)));
    let mut given = subjects.into_iter().filter_map(|(name, node)| Some((name, node?)));
    let Some((name, node)) = given.next() else {
        fields.fault("looks at nothing: give it a url, a tcp or a cmd");
        return None;
    };
    if let Some((other, node)) = given.next() {
        node.fault(format!("stands beside {name}: make a check of its own for {other}"));
    }
    let parse = match name {
        "cmd" => return command(&node).map(Check::Command),
        "tcp" => Check::tcp,
        _ => Check::http,
    };
    let check = parse(&node.full_text()?);
    check.map_err(|wanted| node.refuse::<()>(&wanted)).ok()
}
