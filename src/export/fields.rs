//! What becomes of each field of the services file.

use super::notes::Notes;
use super::workload::Kind;
use serde_json::Value;

/// What becomes of a field that a file gives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is expressed, or what of it is not is told where it is read.
    Said,
    /// It has no place.
    Unsaid(&'static str),
    /// It has none in a Deployment.
    UnsaidOfDeployment(&'static str),
    /// It has none in a Job.
    UnsaidOfJob(&'static str),
}

use Fate::{Said, Unsaid, UnsaidOfDeployment, UnsaidOfJob};

const BACKOFF: &str = "is left out: Kubernetes waits 10 s, and twice as long each time, at most \
                       5 minutes (a Job 6)";
const ONLY_NODE: &str = "is left out: how much of a log is kept is a setting of the node";

/// Each field of a service, by its path. Those of a check are below `health_check`.
const FIELDS: [(&str, Fate); 38] = [
    ("cmd", Said),
    ("cwd", Said),
    ("env", Said),
    ("env_file", Said),
    ("optional", Unsaid("is left out: nothing there is unwell because one service is")),
    ("autostart", Said),
    ("port", Said),
    ("health_check", Said),
    ("health_check.url", Said),
    ("health_check.tcp", Said),
    ("health_check.cmd", Said),
    ("health_check.timeout", Said),
    ("health_check.interval", Said),
    ("health_check.start_period", Said),
    ("health_check.retries", Said),
    ("health_check.restart_on_failure", Said),
    ("health_checks", Said),
    ("restart_policy", Said),
    (
        "restart_policy.mode",
        // "always" is what a Deployment does.
        UnsaidOfDeployment("is on-failure, and a Deployment starts again after exit code 0 too"),
    ),
    (
        "restart_policy.max_restarts",
        UnsaidOfDeployment("is left out: a Deployment is never given up"),
    ),
    ("restart_policy.backoff_seconds", Unsaid(BACKOFF)),
    ("restart_policy.backoff_multiplier", Unsaid(BACKOFF)),
    ("restart_policy.max_backoff_seconds", Unsaid(BACKOFF)),
    (
        "restart_policy.reset_after_seconds",
        Unsaid(
            "is left out: a run of 10 minutes clears the count of a pod, and none that of a Job",
        ),
    ),
    ("start_timeout", Said),
    ("start_seconds", UnsaidOfJob("is left out: a Job is up at once")),
    ("depends_on", Said),
    ("stop_signal", Said),
    ("stop_timeout", Said),
    (
        "reload_signal",
        Unsaid("is left out: a new configuration is a rollout, which starts a new pod"),
    ),
    ("pty", Said),
    ("log", Said),
    ("log.max_bytes", Unsaid(ONLY_NODE)),
    ("log.keep", Unsaid(ONLY_NODE)),
    ("limits", Said),
    ("limits.memory_mb", Said),
    ("limits.cpu_percent", Said),
    (
        "limits.processes",
        Unsaid("is left out: how many processes a pod may have is a setting of the node"),
    ),
];

/// Notes every field of a service, by its text, that has no place in what it becomes.
pub(super) fn note_unsaid(text: &str, kind: Kind, notes: &mut Notes<'_>) {
    // It was read before.
    let given: Value = serde_json::from_str(text).unwrap_or_default();
    for (path, fate) in FIELDS {
        let Some(value) = given.pointer(&format!("/{}", path.replace('.', "/"))) else { continue };
        let ((Unsaid(sentence), _)
        | (UnsaidOfDeployment(sentence), Kind::Deployment { .. })
        | (UnsaidOfJob(sentence), Kind::Job { .. })) = (fate, kind)
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
