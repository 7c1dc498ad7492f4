//! What becomes of each field of the services file.

use super::notes::Notes;
use super::workload::Kind;
use serde_json::Value;

/// What becomes of a field that a file gives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mapping {
    /// It is expressed, or what of it is not is told where it is read.
    Supported,
    /// It has no place.
    Unsupported(&'static str),
    /// It has none in a Deployment.
    UnsupportedInDeployment(&'static str),
    /// It has none in a Job.
    UnsupportedInJob(&'static str),
}

use Mapping::{Supported, Unsupported, UnsupportedInDeployment, UnsupportedInJob};

const BACKOFF: &str = "is left out: Kubernetes waits 10 s, and twice as long each time, at most \
                       5 minutes (a Job 6)";
const ONLY_NODE: &str = "is left out: how much of a log is kept is a setting of the node";

/// Each field of a service, by its path. Those of a check are below `health_check`.
const FIELDS: [(&str, Mapping); 38] = [
    ("cmd", Supported),
    ("cwd", Supported),
    ("env", Supported),
    ("env_file", Supported),
    ("optional", Unsupported("is left out: nothing there is unwell because one service is")),
    ("autostart", Supported),
    ("port", Supported),
    ("health_check", Supported),
    ("health_check.url", Supported),
    ("health_check.tcp", Supported),
    ("health_check.cmd", Supported),
    ("health_check.timeout", Supported),
    ("health_check.interval", Supported),
    ("health_check.start_period", Supported),
    ("health_check.retries", Supported),
    ("health_check.restart_on_failure", Supported),
    ("health_checks", Supported),
    ("restart_policy", Supported),
    (
        "restart_policy.mode",
        // "always" is what a Deployment does.
        UnsupportedInDeployment(
            "is on-failure, and a Deployment starts again after exit code 0 too",
        ),
    ),
    (
        "restart_policy.max_restarts",
        UnsupportedInDeployment("is left out: a Deployment is never given up"),
    ),
    ("restart_policy.backoff_seconds", Unsupported(BACKOFF)),
    ("restart_policy.backoff_multiplier", Unsupported(BACKOFF)),
    ("restart_policy.max_backoff_seconds", Unsupported(BACKOFF)),
    (
        "restart_policy.reset_after_seconds",
        Unsupported(
            "is left out: a run of 10 minutes clears the count of a pod, and none that of a Job",
        ),
    ),
    ("start_timeout", Supported),
    ("start_seconds", UnsupportedInJob("is left out: a Job is up at once")),
    ("depends_on", Supported),
    ("stop_signal", Supported),
    ("stop_timeout", Supported),
    (
        "reload_signal",
        Unsupported("is left out: a new configuration is a rollout, which starts a new pod"),
    ),
    ("pty", Supported),
    ("log", Supported),
    ("log.max_bytes", Unsupported(ONLY_NODE)),
    ("log.keep", Unsupported(ONLY_NODE)),
    ("limits", Supported),
    ("limits.memory_mb", Supported),
    ("limits.cpu_percent", Supported),
    (
        "limits.processes",
        Unsupported("is left out: how many processes a pod may have is a setting of the node"),
    ),
];

/// Notes every field of a service, by its text, that has no place in what it becomes.
pub(super) fn note_unsupported(text: &str, kind: Kind, notes: &mut Notes<'_>) {
    // It was read before.
    let given: Value = serde_json::from_str(text).unwrap_or_default();
    for (path, fate) in FIELDS {
        let Some(value) = given.pointer(&format!("/{}", path.replace('.', "/"))) else { continue };
        let ((Unsupported(sentence), _)
        | (UnsupportedInDeployment(sentence), Kind::Deployment { .. })
        | (UnsupportedInJob(sentence), Kind::Job { .. })) = (fate, kind)
        else {
            continue;
        };
        // What says nothing, or what a Deployment does.
        let is_moot = value.is_null() || *value == false || *value == "always";
        if !is_moot {
            notes.add(path, sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::services_file;

    #[test]
    fn it_is_known_what_becomes_of_each_field() {
        let schema = services_file::schema();
        let objects = [
            ("Service", ""),
            ("HealthCheck", "health_check."),
            ("RestartPolicy", "restart_policy."),
            ("LogLimits", "log."),
            ("ResourceLimits", "limits."),
        ];
        for (object, prefix) in objects {
            for field in schema["$defs"][object]["properties"].as_object().unwrap().keys() {
                let path = format!("{prefix}{field}");
                assert!(FIELDS.iter().any(|(known, _)| *known == path), "{path}");
            }
        }
    }
}
