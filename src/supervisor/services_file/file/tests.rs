//! Tests of valid and invalid services files.

use super::super::RestartPolicy;
use super::*;
use crate::probe::Check;
use crate::process::CommandLine;
use crate::protocol::{Condition, RestartMode};
use std::time::Duration;

fn parse(text: &str) -> Result<ServicesFile, ServicesFileErrors> {
    let environment = [("PORT", "8080"), ("HOME", "/home/a")];
    ServicesFile::parse(text, &environment.map(|(name, value)| (name.into(), value.into())))
}

/// Returns the errors of a file, one line each.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).unwrap_err().in_file("f").to_string();
    errors.lines().map(str::to_owned).collect()
}

/// Returns the errors of a service `a` with a `cmd` and these fields.
fn errors_of(fields: &str) -> Vec<String> {
    errors(&format!("{{\"a\":{{\"cmd\":\"x\",{fields}}}}}"))
}

fn config_of(fields: &str) -> crate::supervisor::ServiceConfig {
    let file =
        parse(&format!("{{\"a\":{{{fields}}}}}")).unwrap_or_else(|f| panic!("{fields}: {f}"));
    (*file.services[0].config).clone()
}

/// The example of the specification.
const EXAMPLE: &str = r#"{
  "tts": {
    "cmd": ["python", "-m", "tts", "--port", "7030"],
    "cwd": ".",
    "env": {"ASTRA_LOG_LEVEL": "INFO"},
    "optional": false,
    "health_check": {"url": "http://localhost:7031/", "timeout": 5},
    "restart_policy": {"max_restarts": 3, "backoff_seconds": 5}
  }
}"#;

#[test]
fn example_of_the_specification_is_parsed() {
    let file = parse(EXAMPLE).unwrap();
    let [service] = &file.services[..] else { panic!("{file:?}") };
    let config = &service.config;
    assert_eq!((&*service.name, config.port), ("tts", Some(7030)));
    assert!(matches!(&config.command, CommandLine::Arguments(list) if list.len() == 5));
    let (name, check) = &config.health_checks[0];
    assert_eq!((&**name, check.timeout), ("http_endpoint", Duration::from_secs(5)));
    assert_eq!(check.check, Check::http("http://localhost:7031/").unwrap());
    assert_eq!(config.restart_policy, RestartPolicy::default());
}

#[test]
fn missing_or_null_fields_have_the_documented_default() {
    let config = config_of(r#""cmd": "x", "port": null, "env": null, "log": null"#);
    assert_eq!(config, config_of(r#""cmd": "x""#));
    assert_eq!(config.directory.to_str(), Some("."));
    assert!(config.autostart && !config.is_optional && !config.pty);
    let seconds = Duration::from_secs;
    let times = (config.start_timeout, config.start_seconds, config.stop_timeout);
    assert_eq!(times, (seconds(60), seconds(1), seconds(10)));
    assert_eq!((config.stop_signal.to_string(), config.reload_signal), ("SIGTERM".into(), None));
    assert_eq!((config.port, config.log.bytes_max, config.log.runs_max), (None, None, None));
    let policy = config.restart_policy;
    assert_eq!((policy.mode, policy.max_restarts), (RestartMode::OnFailure, 3));
    assert_eq!((policy.backoff, policy.backoff_max), (seconds(5), seconds(60)));
    let config = config_of(r#""cmd": "x", "health_check": {"tcp": "[::1]:99"}"#);
    let check = &config.health_checks[0].1;
    let times = (check.timeout, check.interval, check.start_period);
    assert_eq!(times, (seconds(5), seconds(10), seconds(0)));
    assert_eq!((check.retries, check.restart_on_failure, config.port), (3, false, Some(99)));
}

#[test]
fn every_field_is_parsed() {
    let file = parse(
        r#"{"db": {"cmd": "db"}, "once": {"cmd": ["true"]}, "all": {
        "cmd": "run -p 80", "cwd": "${HOME}/all", "env": {"A": "1", "B": null, "C": ""},
        "env_file": "all.env", "optional": true, "autostart": false, "port": 9000,
        "health_checks": {
            "web": {"url": "http://x:1/", "timeout": 0.5, "interval": 1, "start_period": 30,
                    "retries": 1, "restart_on_failure": true},
            "b": {"tcp": "x:2"}, "a": {"cmd": ["check", "it"]}, "s": {"cmd": "check it"}},
        "restart_policy": {"mode": "always", "max_restarts": 0, "backoff_seconds": 0.1,
            "backoff_multiplier": 1, "max_backoff_seconds": 2, "reset_after_seconds": 3},
        "start_timeout": 1.5, "start_seconds": 0,
        "depends_on": {"db": "healthy", "once": "completed"},
        "stop_signal": "INT", "stop_timeout": 86400, "reload_signal": 1, "pty": true,
        "log": {"max_bytes": 65536, "keep": 1}}}"#,
    )
    .unwrap();
    let names: Vec<_> = file.services.iter().map(|service| &*service.name).collect();
    assert_eq!(names, ["db", "once", "all"]);
    let config = &file.services[2].config;
    assert_eq!(config.directory.to_str(), Some("/home/a/all"));
    assert_eq!(config.environment["B"], None);
    assert_eq!(config.environment["C"].as_deref(), Some(""));
    assert_eq!(config.port, Some(9000));
    let checks: Vec<_> = config.health_checks.iter().map(|(name, _)| &**name).collect();
    assert_eq!(checks, ["web", "b", "a", "s"]);
    let check = &config.health_checks[0].1;
    assert_eq!((check.timeout, check.retries), (Duration::from_millis(500), 1));
    let policy = &config.restart_policy;
    assert_eq!((policy.mode, policy.backoff), (RestartMode::Always, Duration::from_millis(100)));
    assert_eq!(config.depends_on["db"], Condition::Healthy);
    assert_eq!(config.depends_on["once"], Condition::Completed);
    assert_eq!(config.stop_signal.to_string(), "SIGINT");
    assert_eq!(config.reload_signal.unwrap().to_string(), "SIGHUP");
    assert_eq!((config.log.bytes_max, config.log.runs_max), (Some(65536), Some(1)));
}

#[test]
fn longer_first_delay_raises_the_default_maximum() {
    let longest = |fields: &str| {
        let config = config_of(&format!(r#""cmd": "x", "restart_policy": {{{fields}}}"#));
        config.restart_policy.backoff_max.as_secs()
    };
    assert_eq!(longest(r#""backoff_seconds": 90"#), 90);
    assert_eq!(longest(r#""backoff_seconds": 90, "max_backoff_seconds": 10"#), 10);
}

#[test]
fn variables_expand_everywhere_but_in_shell_text() {
    let config =
        config_of(r#""cmd": "echo ${PORT} $PORT ${NO}", "health_check": {"cmd": "${NO}"}"#);
    assert_eq!(config.command, CommandLine::Shell("echo ${PORT} $PORT ${NO}".into()));
    let config = config_of(
        r#""cmd": ["a", "--port", "${PORT}", "$PORT", "${NO:-b c}"], "env": {"A": "${HOME}"},
        "health_check": {"url": "http://localhost:${PORT}/"}"#,
    );
    let arguments = ["a", "--port", "8080", "$PORT", "b c"].map(str::to_owned);
    assert_eq!(config.command, CommandLine::Arguments(arguments.into()));
    assert_eq!(config.port, Some(8080));
    assert_eq!(config.environment["A"].as_deref(), Some("/home/a"));
    assert_eq!(config.health_checks[0].1.check.port(), Some(8080));
    let errors = errors_of(r#""env": {"A": "${NO}"}"#);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("f:1:30: a.env.A: uses `${NO}`, which is not set"), "{errors:?}");
}

#[test]
fn all_errors_are_reported_with_their_position() {
    let text = r#"{
  "a": {
    "cmd": [],
    "prot": 1,
    "health_check": {"url": "ftp://x", "timeout": "5"},
    "depends_on": ["base", "bse"]
  },
  "é/é": {"cmd": "x"}, "c": 5,
  "base": {"cmd": "x", "depends_on": ["a"], "cmd": "y"}
}"#;
    assert_eq!(
        errors(text),
        [
            "f:2:3: a.depends_on: is a cycle: a -> base -> a",
            "f:3:12: a.cmd: is empty: give a command to run",
            "f:4:5: a.prot: is unknown: did you mean \"port\"?",
            "f:5:29: a.health_check.url: must be a URL such as http://localhost:8080/health, got \
             \"ftp://x\"",
            "f:5:51: a.health_check.timeout: must be a number of seconds from 0.001 to 86400, got \
             \"5\"",
            "f:6:28: a.depends_on[1]: there is no service \"bse\": did you mean \"base\"?",
            "f:8:3: é/é: is not a valid service name: use letters, digits, `.`, `_` and `-`, \
             64 at most",
            "f:8:29: c: must be an object, got 5",
            "f:9:45: base.cmd: is given twice: remove one of them",
        ]
    );
}

#[test]
fn invalid_json_is_reported_with_its_position() {
    for (text, expected) in [
        ("", "f:1:1: invalid JSON: EOF while parsing a value"),
        ("{\n\"a\": {\"cmd\": \"x\",}}", "f:2:18: invalid JSON: trailing comma"),
        ("{} x", "f:1:4: invalid JSON: trailing characters"),
        ("{\"a\": {\"cmd\": \"\t\"}}", "f:1:16: invalid JSON: control character"),
        ("[]", "f:1:1: must be an object, got a list"),
        (" null", "f:1:2: must be an object, got null"),
        (
            "{\"a\": {\"cmd\": \"\\ud800\"}}",
            "f:1:15: a.cmd: cannot be read: unexpected end of hex escape",
        ),
    ] {
        let errors = errors(text);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{text}: {errors:?}");
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(errors_of(&format!("\"cwd\": {deep}"))[0].contains("a.cwd: must be a string"));
    assert!(parse("{}").unwrap().services.is_empty());
    assert!(parse("\u{feff}{}").unwrap().services.is_empty());
}

#[test]
fn invalid_values_are_refused() {
    for (fields, expected) in [
        (r#""cwd": """#, "a.cwd: is empty"),
        (r#""cwd": "a\u0000b""#, "a.cwd: contains a NUL"),
        (r#""env": {"": "x"}"#, "is not a valid variable name"),
        (r#""env": {"A=B": "x"}"#, "a.env.A=B: is not a valid variable name"),
        (r#""env": {"A\u0000": "x"}"#, "a.env: contains a NUL"),
        (r#""env": {"A": 1}"#, "a.env.A: must be a string, or null to remove it"),
        (r#""env": {"A": "x", "A": "y"}"#, "a.env.A: is given twice"),
        (r#""port": 0"#, "a.port: must be a whole number from 1 to 65535, got 0"),
        (r#""port": 65536"#, "a.port: must be a whole number"),
        (r#""port": 80.5"#, "a.port: must be a whole number"),
        (r#""port": -1"#, "a.port: must be a whole number"),
        (r#""optional": "no""#, "a.optional: must be true or false, got \"no\""),
        (r#""stop_timeout": 86401"#, "a number of seconds from 0 to 86400, got 86401"),
        (r#""stop_timeout": 1e999"#, "a.stop_timeout: must be a number of seconds"),
        (r#""start_timeout": -1"#, "a.start_timeout: must be a number of seconds"),
        (r#""stop_signal": "SIGNOTHING""#, "a.stop_signal: must be a signal such as"),
        (r#""stop_signal": 99"#, "a.stop_signal: must be a signal such as"),
        (r#""reload_signal": []"#, "a.reload_signal: must be a string"),
        (r#""restart_policy": {"mode": "sometimes"}"#, "must be \"always\" or \"on-failure\" or"),
        (r#""restart_policy": {"backoff_multiplier": 0.5}"#, "must be a number from 1 to 1000"),
        (r#""restart_policy": {"max_restarts": -1}"#, "must be a whole number from 0"),
        (r#""restart_policy": []"#, "a.restart_policy: must be an object"),
        (r#""log": {"max_bytes": 1}"#, "a.log.max_bytes: must be a whole number from 65536"),
        (r#""log": {"keep": 0}"#, "a.log.keep: must be a whole number from 1"),
        (r#""log": {"files": 0}"#, "a.log.files: is unknown: the known fields are max_bytes, keep"),
        (r#""health_check": {}"#, "a.health_check: needs exactly one of url"),
        (
            r#""health_check": {"url": "http://x", "tcp": "x:1"}"#,
            "tcp: cannot be combined with url",
        ),
        (r#""health_check": {"tcp": "x"}"#, "tcp: must be a host and a port such as"),
        (r#""health_check": {"cmd": []}"#, "a.health_check.cmd: is empty"),
        (r#""health_check": {"cmd": "x", "retries": 0}"#, "must be a whole number from 1 to"),
        (r#""health_check": {"cmd": "x", "interval": 0}"#, "seconds from 0.1 to 86400"),
        (r#""health_checks": {"a b": {"cmd": "x"}}"#, "a.health_checks.a b: is not a valid name"),
        (
            r#""health_check": {"cmd": "x"}, "health_checks": {}"#,
            "a.health_checks: cannot be combined with health_check",
        ),
        (r#""depends_on": ["a"]"#, "a.depends_on[0]: is a cycle: a -> a"),
        (r#""depends_on": ["b"]"#, "a.depends_on[0]: there is no service \"b\""),
        (r#""depends_on": {"b": "soon"}"#, "a.depends_on.b: must be \"started\" or \"healthy\" or"),
        (r#""depends_on": "b""#, "a.depends_on: must be a list of services, or an object"),
        (r#""replicas": 2"#, "a.replicas: is unknown"),
        (r#""watch": []"#, "a.watch: is unknown"),
        (r#""schedule": "x""#, "a.schedule: is unknown"),
        (r#""user": "x""#, "a.user: is unknown"),
        (r#""limits": {"memory_mb": 0}"#, "a.limits.memory_mb: must be a whole number from 1"),
        (
            r#""limits": {"memory": 9}"#,
            "a.limits.memory: is unknown: the known fields are memory_mb",
        ),
    ] {
        let errors = errors_of(fields);
        assert!(errors.len() == 1 && errors[0].contains(expected), "{fields}: {errors:?}");
    }
    for (cmd, expected) in [
        ("null", "a: has no cmd"),
        ("\" \"", "a.cmd: is empty"),
        ("[\"\"]", "a.cmd: is empty"),
        ("[\"x\", 5]", "a.cmd[1]: must be a string, got 5"),
        ("{}", "a.cmd: must be a list of arguments, or a string for the shell, got an object"),
        ("[\"x\", \"${\"]", "a.cmd[1]: has a `${` without a closing `}`"),
    ] {
        let errors = errors(&format!("{{\"a\":{{\"cmd\":{cmd}}}}}"));
        assert!(errors.len() == 1 && errors[0].contains(expected), "{cmd}: {errors:?}");
    }
    let long = "x".repeat(crate::process::COMMAND_BYTES_MAX + 1);
    assert!(errors(&format!("{{\"a\":{{\"cmd\":\"{long}\"}}}}"))[0].contains("is longer than"));
}

#[test]
fn names_are_valid_directory_names() {
    for name in ["a", "A.b_c-9", "...", &"x".repeat(64)] {
        assert!(is_service_name(name), "{name}");
    }
    for name in ["", ".", "..", "a/b", "a b", "é", "a\n", &"x".repeat(65)] {
        assert!(!is_service_name(name), "{name}");
    }
}

#[test]
fn unreadable_file_is_named() {
    let error = ServicesFile::read(Path::new("/no/such.json"), &[]).unwrap_err().to_string();
    assert!(error.starts_with("/no/such.json: cannot be read: No such file"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin.json");
    std::fs::write(&path, b"{\"\xe9\": 1}").unwrap();
    let error = ServicesFile::read(&path, &[]).unwrap_err().to_string();
    assert!(error.contains("latin.json: cannot be read: "), "{error}");
}
