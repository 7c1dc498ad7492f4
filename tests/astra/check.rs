//! `check` and `schema`.

use crate::harness::binary;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

/// Returns exit code, stdout and stderr.
fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn check_prints_the_order_of_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = r#"{"web": {"cmd": ["web", "${PLACE}"], "depends_on": ["api"]},
        "api": {"cmd": "api", "depends_on": {"db": "healthy"}}, "db": {"cmd": "db"}}"#;
    fs::write(folder.path().join("astra_services.json"), file).unwrap();
    for arguments in [&["check"][..], &["check", "astra_services.json"]] {
        let mut command = binary();
        command.args(arguments).current_dir(folder.path()).env("PLACE", "here");
        let (code, stdout, stderr) = outcome(&mut command);
        assert_eq!((code, &*stdout, &*stderr), (Some(0), "db\napi\nweb\n", ""));
    }
}

#[test]
fn check_reports_every_error_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.json");
    let file = "{\n \"tts\": {\"cmd\": [],\n  \"restart_polcy\": {},\n  \"env\": \
                {\"A\": \"${LLM_SHELL_TOKEN}\"}}\n}\n";
    fs::write(&path, file).unwrap();
    let mut command = binary();
    command
        .args(["check", "bad.json"])
        .current_dir(folder.path())
        .env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!((code, &*stdout), (Some(2), ""));
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    assert_eq!(lines[0], "bad.json:2:17: tts.cmd: is empty: give a command to run");
    let unknown = "tts.restart_polcy: is unknown: did you mean \"restart_policy\"?";
    assert_eq!(lines[1], format!("bad.json:3:3: {unknown}"));
    assert!(lines[2].starts_with("bad.json:4:16: tts.env.A: uses `${LLM_SHELL_TOKEN}`, which"));
}

#[test]
fn check_of_a_missing_file_exits_with_2() {
    let (code, _, stderr) = outcome(binary().args(["check", "/no/such.json"]));
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("/no/such.json: cannot be read: No such file"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn schema_needs_no_settings() {
    let (code, stdout, _) = outcome(binary().arg("schema").env("LLM_SHELL_PORT", "x"));
    assert_eq!(code, Some(0));
    assert!(!stdout.is_empty());
}

#[test]
fn schema_is_json_with_every_service_field() {
    let (code, stdout, stderr) = outcome(binary().arg("schema"));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let fields = schema["$defs"]["Service"]["properties"].as_object().unwrap();
    for field in ["cmd", "cwd", "env", "optional", "health_check", "restart_policy"] {
        assert!(fields.contains_key(field), "{field}");
    }
}
