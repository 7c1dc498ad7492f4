//! The JSON Schema of the services file, for editors: made from types of the file's own shape.

#![allow(dead_code, reason = "the fields are never read: only their schema is of use")]

use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use std::collections::BTreeMap;

/// The JSON Schema of a services file.
#[must_use]
pub fn schema() -> Value {
    schema_for!(FileShape).to_value()
}

/// Services by name: letters, digits, `.`, `_` and `-`, 64 at most. `${NAME}` and
/// `${NAME:-default}` are taken from the environment in every string but a `cmd` for the shell.
#[derive(JsonSchema)]
#[schemars(title = "Services file of llm-shell astra")]
struct FileShape(
    #[schemars(extend("propertyNames" = {"pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$"}))]
    BTreeMap<String, ServiceShape>,
);

/// A service.
#[derive(JsonSchema)]
#[schemars(
    rename = "Service",
    deny_unknown_fields,
    extend("not" = {"required": ["health_check", "health_checks"]})
)]
struct ServiceShape {
    /// Command: an array (a program and its arguments), or text for the shell.
    cmd: CommandShape,
    /// Working directory; a relative one is relative to the supervisor's.
    #[schemars(length(min = 1), extend("default" = "."))]
    cwd: Option<String>,
    /// Variables added to the supervisor's environment; null removes one.
    #[schemars(
        extend("default" = {}),
        extend("propertyNames" = {"pattern": "^[^=]+$"})
    )]
    env: Option<BTreeMap<String, Option<String>>>,
    /// File of `NAME=value` lines, read at every start; `env` overrides it. A relative path is
    /// relative to the supervisor's working directory.
    #[schemars(length(min = 1))]
    env_file: Option<String>,
    /// Whether the supervisor counts as healthy without it.
    #[schemars(extend("default" = false))]
    optional: Option<bool>,
    /// Whether it starts with the supervisor.
    #[schemars(extend("default" = true))]
    autostart: Option<bool>,
    /// Port that it listens on, for display; by default taken from `--port` or `-p` in `cmd`, or
    /// from the first health check.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// Health check, named `http_endpoint`.
    health_check: Option<CheckShape>,
    /// Several health checks, by name.
    #[schemars(
        extend("propertyNames" = {"pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$"})
    )]
    health_checks: Option<BTreeMap<String, CheckShape>>,
    /// When and how often it is restarted after it ends by itself.
    restart_policy: Option<PolicyShape>,
    /// Seconds it may take to become healthy; `unhealthy` after that.
    #[schemars(range(min = 0, max = 86400), extend("default" = 60))]
    start_timeout: Option<f64>,
    /// Seconds it must run to count as up, if it has no health check.
    #[schemars(range(min = 0, max = 86400), extend("default" = 1))]
    start_seconds: Option<f64>,
    /// Services that must have `started` (the default), be `healthy` or have `completed` with exit
    /// code 0 before it starts. They are started with it.
    #[schemars(extend("default" = []))]
    depends_on: Option<DependenciesShape>,
    /// Signal that asks it to end.
    #[schemars(extend("default" = "SIGTERM"))]
    stop_signal: Option<SignalShape>,
    /// Seconds from the stop signal to SIGKILL.
    #[schemars(range(min = 0, max = 86400), extend("default" = 10))]
    stop_timeout: Option<f64>,
    /// Signal that a reload sends instead of a restart when its definition changed.
    reload_signal: Option<SignalShape>,
    /// Whether it runs on a terminal, and can be written to.
    #[schemars(extend("default" = false))]
    pty: Option<bool>,
    /// How much of its logs is kept, in place of `LLM_SHELL_LOG_MAX_BYTES` and
    /// `LLM_SHELL_LOG_KEEP_RUNS`. A single run has at most a quarter of the bytes.
    log: Option<LogShape>,
    /// Resource limits for its whole process tree. Needs a control group, such as systemd's
    /// `Delegate=yes` provides; refused with the reason otherwise.
    limits: Option<LimitsShape>,
}

/// A program with its arguments, or text for the shell.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "Command")]
enum CommandShape {
    /// A program, found by PATH where it has no slash, with its arguments.
    Arguments(#[schemars(length(min = 1))] Vec<String>),
    /// Text for the shell, which expands `$NAME` and `${NAME}` itself.
    Shell(#[schemars(regex(pattern = r"\S"))] String),
}

/// A health check: exactly one of `url`, `tcp` and `cmd`.
#[derive(JsonSchema)]
#[schemars(
    rename = "HealthCheck",
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["url"]}, {"required": ["tcp"]}, {"required": ["cmd"]}])
)]
struct CheckShape {
    /// URL that must answer 2xx, after at most 5 redirects.
    #[schemars(regex(pattern = r"^(https?://|.*\$\{)"))]
    url: Option<String>,
    /// `host:port` that must accept a connection.
    #[schemars(regex(pattern = r":\d+$|\$\{"))]
    tcp: Option<String>,
    /// Command that must exit with code 0.
    cmd: Option<CommandShape>,
    /// Seconds until a check fails.
    #[schemars(range(min = 0.001, max = 86400), extend("default" = 5))]
    timeout: Option<f64>,
    /// Seconds from one check to the next.
    #[schemars(range(min = 0.1, max = 86400), extend("default" = 10))]
    interval: Option<f64>,
    /// Seconds after a start in which failures do not count.
    #[schemars(range(min = 0, max = 86400), extend("default" = 0))]
    start_period: Option<f64>,
    /// How many failures in a row make it unhealthy.
    #[schemars(range(min = 1, max = 4_294_967_295_u32), extend("default" = 3))]
    retries: Option<u32>,
    /// Whether the service is restarted when it is unhealthy.
    #[schemars(extend("default" = false))]
    restart_on_failure: Option<bool>,
}

/// When and how often a service is restarted.
#[derive(JsonSchema)]
#[schemars(rename = "RestartPolicy", deny_unknown_fields)]
struct PolicyShape {
    /// Which ends cause a restart.
    #[schemars(extend("default" = "on-failure"))]
    mode: Option<ModeShape>,
    /// Restarts in a row; after that it is `fatal`.
    #[schemars(range(min = 0, max = 4_294_967_295_u32), extend("default" = 3))]
    max_restarts: Option<u32>,
    /// Seconds before the first restart.
    #[schemars(range(min = 0, max = 86400), extend("default" = 5))]
    backoff_seconds: Option<f64>,
    /// Factor from one delay to the next.
    #[schemars(range(min = 1, max = 1000), extend("default" = 2))]
    backoff_multiplier: Option<f64>,
    /// Maximum delay in seconds.
    #[schemars(range(min = 0, max = 86400), extend("default" = 60))]
    max_backoff_seconds: Option<f64>,
    /// Seconds of a run that reset the count; a start by hand resets it too.
    #[schemars(range(min = 0, max = 86400), extend("default" = 60))]
    reset_after_seconds: Option<f64>,
}

#[derive(JsonSchema)]
#[schemars(rename = "RestartMode", rename_all = "kebab-case")]
enum ModeShape {
    /// All of them.
    Always,
    /// Those with an exit code other than 0, or by a signal.
    OnFailure,
    /// None.
    Never,
}

#[derive(JsonSchema)]
#[schemars(rename = "Dependencies", untagged)]
enum DependenciesShape {
    /// Services that must have been started.
    Started(Vec<String>),
    /// Services, each with what must have come about of it.
    Conditions(BTreeMap<String, ConditionShape>),
}

#[derive(JsonSchema)]
#[schemars(rename = "Condition", rename_all = "lowercase")]
enum ConditionShape {
    /// It runs.
    Started,
    /// Its health checks pass; where it has none, it runs.
    Healthy,
    /// It has ended with exit code 0.
    Completed,
}

/// A signal: SIGTERM, TERM or 15.
#[derive(JsonSchema)]
#[schemars(rename = "Signal", untagged)]
enum SignalShape {
    Name(#[schemars(regex(pattern = SIGNAL_NAME))] String),
    Number(#[schemars(range(min = 1, max = 64))] u8),
}

/// What can name a signal: its name, its number, or a value of the environment.
const SIGNAL_NAME: &str = concat!(
    r"^((SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD",
    r"|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS",
    r"|RTMIN(\+([1-9]|[12]\d|30))?)",
    r"|[1-9]|[1-5]\d|6[0-4]|.*\$\{.*)$"
);

/// How much of a service's logs is kept.
#[derive(JsonSchema)]
#[schemars(rename = "LogLimits", deny_unknown_fields)]
struct LogShape {
    /// Maximum size over all of its runs, in bytes.
    #[schemars(range(min = 65536))]
    max_bytes: Option<u64>,
    /// Number of runs.
    #[schemars(range(min = 1))]
    keep: Option<u64>,
}

/// What a run of a service may use, with all that it starts.
#[derive(JsonSchema)]
#[schemars(rename = "ResourceLimits", deny_unknown_fields)]
struct LimitsShape {
    /// MiB of memory, swap included: a run that needs more is ended.
    #[schemars(range(min = 1, max = 1_048_576))]
    memory_mb: Option<u64>,
    /// CPU time, 100 for each core: a run that wants more is slowed down.
    #[schemars(range(min = 1, max = 102_400))]
    cpu_percent: Option<f64>,
    /// Processes, their threads included: a run cannot start more.
    #[schemars(range(min = 1, max = 4_194_304))]
    processes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::super::{ServiceConfig, ServicesFile};
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// Makes a service of the fields of an object in it.
    type Service = fn(Value) -> Value;

    /// Each object of the schema, with a service that has one.
    const OBJECTS: [(&str, Service); 5] = [
        ("Service", |fields| over(json!({"cmd": "x"}), fields)),
        (
            "HealthCheck",
            |fields| json!({"cmd": "x", "health_check": over(json!({"cmd": "x"}), fields)}),
        ),
        ("RestartPolicy", |fields| json!({"cmd": "x", "restart_policy": fields})),
        ("LogLimits", |fields| json!({"cmd": "x", "log": fields})),
        ("ResourceLimits", |fields| json!({"cmd": "x", "limits": fields})),
    ];

    fn over(mut fields: Value, other: Value) -> Value {
        if let (Value::Object(fields), Value::Object(other)) = (&mut fields, other) {
            fields.extend(other);
        }
        fields
    }

    fn parse(service: &Value) -> Result<ServiceConfig, String> {
        let file = ServicesFile::parse(&json!({"a": service}).to_string(), &[]);
        file.map(|file| (*file.services[0].config).clone()).map_err(|faults| faults.to_string())
    }

    /// The fields of an object of the schema, each with what is said of it.
    fn properties(object: &str) -> serde_json::Map<String, Value> {
        schema()["$defs"][object]["properties"].as_object().unwrap().clone()
    }

    #[test]
    fn schema_and_parser_know_the_same_fields() {
        for (object, service) in OBJECTS {
            let fault = parse(&service(json!({"an_unknown_field": 1}))).unwrap_err();
            let (_, known) = fault.split_once("the fields here are ").unwrap();
            let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
            let properties = properties(object);
            assert_eq!(properties.keys().cloned().collect::<BTreeSet<_>>(), known, "{object}");
            let all = schema()["$defs"][object].clone();
            assert_eq!(all["additionalProperties"], false, "{object}");
        }
    }

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_parser() {
        let mut compared = 0;
        for (object, service) in OBJECTS {
            for (field, property) in properties(object) {
                if let Some(default) = property.get("default") {
                    let given = parse(&service(json!({&field: default}))).unwrap();
                    assert_eq!(given, parse(&service(json!({}))).unwrap(), "{object}.{field}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 21);
    }

    #[test]
    fn the_bounds_of_the_schema_are_those_of_the_parser() {
        let mut compared = 0;
        for (object, service) in OBJECTS {
            for (field, property) in properties(object) {
                let ends = [("minimum", -0.001, -1), ("maximum", 0.001, 1)];
                for (end, fraction, whole) in ends {
                    let Some(bound) = property.get(end) else { continue };
                    let is_number = property["type"][0] == "number";
                    let beyond = match bound.as_i64() {
                        Some(bound) if !is_number => json!(bound + whole),
                        _ => json!(bound.as_f64().unwrap() + fraction),
                    };
                    let tried = |value: &Value| parse(&service(json!({&field: value})));
                    assert!(tried(bound).is_ok(), "{object}.{field}: {bound}");
                    assert!(tried(&beyond).is_err(), "{object}.{field}: {beyond}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 34);
    }

    #[test]
    fn the_signals_of_the_schema_are_those_of_the_parser() {
        let pattern = regex::Regex::new(SIGNAL_NAME).unwrap();
        for number in 1..=64 {
            let text = number.to_string();
            assert!(pattern.is_match(&text), "{text}");
            let name = text.parse::<crate::process::Signal>().unwrap().to_string();
            // Two have no name, and two more belong to the C library.
            assert!(pattern.is_match(&name) || name.starts_with("signal "), "{name}");
        }
        assert!(parse(&json!({"cmd": "x", "stop_signal": 15.0, "port": 80.0})).is_ok());
        for wrong in ["", "0", "65", "SIGNOTHING", "RTMIN+31", "SIG"] {
            assert!(!pattern.is_match(wrong), "{wrong}");
            assert!(parse(&json!({"cmd": "x", "stop_signal": wrong})).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_words_of_the_schema_are_those_of_the_parser() {
        let words = |list: &str| -> Vec<String> {
            let schema = schema();
            let words = schema["$defs"][list]["oneOf"].as_array().unwrap();
            words.iter().map(|word| word["const"].to_string()).collect()
        };
        let modes = json!({"cmd": "x", "restart_policy": {"mode": "no"}});
        assert!(parse(&modes).unwrap_err().contains(&words("RestartMode").join(" or ")));
        let depends = json!({"a": {"cmd": "x", "depends_on": {"b": "no"}}, "b": {"cmd": "x"}});
        let faults = ServicesFile::parse(&depends.to_string(), &[]).unwrap_err().to_string();
        assert!(faults.contains(&words("Condition").join(" or ")), "{faults}");
    }
}
