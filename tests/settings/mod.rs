//! Flags, environment and `.env`, as the real binary takes them.

use crate::harness::{Server, binary};
use llm_shell::settings::SETTINGS;
use std::net::TcpListener;
use std::process::{Command, Output};

fn output(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    (status.code(), String::from_utf8(stderr).expect("messages of UTF-8"))
}

#[test]
fn a_bad_setting_is_named_with_its_source_in_one_line() {
    for (flags, variable, said) in [
        (vec!["--port", "70000"], ("LLM_SHELL_PORT", "1"), "--port (command line) is \"70000\""),
        (vec![], ("LLM_SHELL_PORT", "-1"), "LLM_SHELL_PORT (environment) is \"-1\""),
        (vec![], ("LLM_SHELL_LOG_DIR", ""), "LLM_SHELL_LOG_DIR (environment) is empty"),
        (vec![], ("LLM_SHELL_KILL_TIMEOUT", "soon"), "a number of seconds"),
        (vec![], ("LLM_SHELL_MAX_LINE_BYTES", "1"), "a whole number from 64"),
    ] {
        let (code, stderr) = output(binary().args(flags).env(variable.0, variable.1));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(said) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn a_bad_setting_in_dotenv_is_named_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "LLM_SHELL_PORT=x\n").unwrap();
    let (code, stderr) = output(binary().current_dir(folder.path()));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("LLM_SHELL_PORT (.env) is \"x\""), "{stderr}");
}

#[test]
fn dotenv_is_read_from_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "LLM_SHELL_SHELL=/no/such\nOTHER=1\n").unwrap();
    let mut command = Command::new("sh");
    let start = format!("cp {}/.env . && exec \"$0\"", folder.path().display());
    command.args(["-c", &start, env!("CARGO_BIN_EXE_llm-shell")]);
    let server = Server::start_command(command);
    let body = serde_json::json!({"command": "ls"});
    let detail = server.post_json("/start", &body).problem(500, "internal");
    assert!(detail.contains("/no/such"), "{detail}");
}

#[test]
fn an_unknown_flag_or_command_is_refused() {
    for flags in [["--prot", "1"], ["serv", "--port=1"]] {
        let (code, stderr) = output(binary().args(flags));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(flags[0]), "{stderr}");
    }
}

#[test]
fn a_taken_port_ends_the_server_with_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stderr) = output(binary().args(["--port", &port]).current_dir(folder.path()));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn beyond_loopback_is_refused_unless_it_is_meant() {
    for host in ["0.0.0.0", "::"] {
        let (code, stderr) = output(binary().args(["--host", host, "--port", "0"]));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("--insecure"), "{stderr}");
    }
    let (code, stderr) = output(binary().args(["--host", "no.such.host.invalid"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("LLM_SHELL_HOST"), "{stderr}");
}

#[test]
fn loopback_has_several_names() {
    for host in ["localhost", "127.0.0.2"] {
        let server = Server::start_with(&["serve", "--host", host]);
        assert!(server.address().ip().is_loopback());
        server.get("/health").expect(200);
    }
}

#[test]
fn a_log_directory_that_cannot_be_ends_the_server_with_its_path() {
    let (code, stderr) = output(binary().args(["--port", "0", "--log-dir", "/dev/null/logs"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("/dev/null/logs") && stderr.contains("LLM_SHELL_LOG_DIR"), "{stderr}");
}

#[test]
fn logs_go_where_they_are_told_to() {
    let server = Server::start_with(&["--log-dir", "deep/er"]);
    let run = server.run_to_end("echo hello");
    assert!(run["log_file"].as_str().unwrap().starts_with("deep/er/20"), "{run}");
    assert_eq!(server.stored().len(), 1);
}

#[test]
fn help_names_every_setting_and_its_default() {
    let help = String::from_utf8(binary().arg("--help").output().unwrap().stdout).unwrap();
    for setting in SETTINGS {
        for part in [setting.flag.unwrap_or_default(), setting.environment, setting.default] {
            assert!(help.contains(part), "{part} in\n{help}");
        }
    }
    let version = String::from_utf8(binary().arg("--version").output().unwrap().stdout).unwrap();
    assert_eq!(version.trim(), concat!("llm-shell ", env!("CARGO_PKG_VERSION")));
}
