//! GET /services/{service}: what a service is run by, and how its last runs ended.

use crate::logs::{RunRecord, format_instant};
use crate::ops::seconds;
use crate::probe::Check;
use crate::process::{CommandLine, ResourceLimits};
use crate::protocol::EndedBy;
use crate::supervisor::{
    HealthCheck, Masking, RestartPolicy, ServiceConfig, ServiceHandle, ServiceOrigin,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many ends are told of.
const EXITS_MAX: usize = 10;

/// What GET /services/{service} answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceDetail {
    service: String,
    /// Whether the services file has it, or somebody added it.
    source: &'static str,
    config: ConfigBody,
    /// The newest first.
    exits: Vec<Exit>,
}

/// What a service is run by, in the fields of the services file, with secrets masked.
#[derive(Debug, Serialize, JsonSchema)]
struct ConfigBody {
    cmd: Value,
    cwd: String,
    env: BTreeMap<String, Option<String>>,
    env_file: Option<String>,
    optional: bool,
    autostart: bool,
    port: Option<u16>,
    depends_on: BTreeMap<String, &'static str>,
    health_checks: BTreeMap<String, CheckBody>,
    restart_policy: PolicyBody,
    start_seconds: f64,
    start_timeout: f64,
    stop_signal: String,
    stop_timeout: f64,
    reload_signal: Option<String>,
    pty: bool,
    log: LogBody,
    limits: LimitsBody,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CheckBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd: Option<Value>,
    timeout: f64,
    interval: f64,
    start_period: f64,
    retries: u32,
    restart_on_failure: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PolicyBody {
    mode: &'static str,
    max_restarts: u32,
    backoff_seconds: f64,
    backoff_multiplier: f64,
    max_backoff_seconds: f64,
    reset_after_seconds: f64,
}

/// `memory_mb` in MiB, `cpu_percent` 100 for each core.
#[derive(Debug, Serialize, JsonSchema)]
struct LimitsBody {
    memory_mb: Option<u64>,
    cpu_percent: Option<f64>,
    processes: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LogBody {
    max_bytes: Option<u64>,
    keep: Option<usize>,
}

/// How a run ended; `uptime` in seconds.
#[derive(Debug, Serialize, JsonSchema)]
struct Exit {
    run_id: String,
    stopped_at: String,
    #[serde(rename = "exit_code")]
    code: Option<i32>,
    signal: Option<String>,
    ended_by: EndedBy,
    uptime: f64,
}

impl ServiceDetail {
    /// What is known of a service now.
    pub fn of(service: &ServiceHandle) -> Self {
        let facts = service.facts();
        let exits = service.manager().run_records().into_iter().filter_map(exit);
        Self {
            service: service.name().to_owned(),
            source: if facts.standing == ServiceOrigin::Added { "api" } else { "file" },
            config: ConfigBody::of(&facts.config),
            exits: exits.take(EXITS_MAX).collect(),
        }
    }
}

impl ConfigBody {
    fn of(config: &ServiceConfig) -> Self {
        let masking = Masking::of(&config.environment);
        let variables = config.environment.iter();
        let masked = |(name, value): (&String, &Option<String>)| {
            (name.clone(), value.as_ref().map(|value| masking.value(name, value)))
        };
        let checks = config.health_checks.iter();
        let conditions = config.depends_on.iter();
        Self {
            cmd: command(&config.command, &masking),
            cwd: config.directory.to_string_lossy().into_owned(),
            env: variables.map(masked).collect(),
            env_file: config.env_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
            optional: config.is_optional,
            autostart: config.autostart,
            port: config.port,
            depends_on: conditions.map(|(name, it)| (name.clone(), it.word())).collect(),
            health_checks: checks
                .map(|(name, check)| (name.clone(), CheckBody::of(check, &masking)))
                .collect(),
            restart_policy: PolicyBody::of(&config.restart_policy),
            start_seconds: seconds(config.start_seconds),
            start_timeout: seconds(config.start_timeout),
            stop_signal: config.stop_signal.to_string(),
            stop_timeout: seconds(config.stop_timeout),
            reload_signal: config.reload_signal.map(|signal| signal.to_string()),
            pty: config.pty,
            log: LogBody { max_bytes: config.log.bytes_max, keep: config.log.runs_max },
            limits: LimitsBody::of(&config.limits),
        }
    }
}

impl CheckBody {
    fn of(check: &HealthCheck, masking: &Masking) -> Self {
        let (mut url, mut tcp, mut cmd) = (None, None, None);
        match &check.check {
            Check::Http { url: asked } => url = Some(masking.text(&asked.to_string())),
            Check::Tcp { host, port } if host.contains(':') => {
                tcp = Some(format!("[{host}]:{port}"));
            }
            Check::Tcp { host, port } => tcp = Some(format!("{host}:{port}")),
            Check::Command(line) => cmd = Some(command(line, masking)),
        }
        Self {
            url,
            tcp,
            cmd,
            timeout: seconds(check.timeout),
            interval: seconds(check.interval),
            start_period: seconds(check.start_period),
            retries: check.retries,
            restart_on_failure: check.restart_on_failure,
        }
    }
}

impl LimitsBody {
    fn of(limits: &ResourceLimits) -> Self {
        let ResourceLimits { memory_mb, cpu_percent, processes } = *limits;
        Self { memory_mb, cpu_percent, processes }
    }
}

impl PolicyBody {
    fn of(policy: &RestartPolicy) -> Self {
        Self {
            mode: policy.mode.word(),
            max_restarts: policy.max_restarts,
            backoff_seconds: seconds(policy.backoff),
            backoff_multiplier: policy.backoff_multiplier,
            max_backoff_seconds: seconds(policy.backoff_max),
            reset_after_seconds: seconds(policy.reset_after),
        }
    }
}

/// A command as the services file has it: text, or a list.
fn command(command: &CommandLine, masking: &Masking) -> Value {
    match command {
        CommandLine::Shell(text) => masking.text(text).into(),
        CommandLine::Arguments(arguments) => masking.arguments(arguments).into(),
    }
}

/// How a run ended, once it has.
fn exit(run: RunRecord) -> Option<Exit> {
    let lasted = run.lasted()?;
    let end = run.end?;
    Some(Exit {
        run_id: run.run_id,
        stopped_at: format_instant(end.at),
        code: end.exit_code,
        signal: end.signal,
        ended_by: end.ended_by,
        uptime: seconds(lasted),
    })
}
