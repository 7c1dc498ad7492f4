//! Settings of the real binary: flags, environment and `.env`.

use crate::harness::{Server, binary};
use llm_shell::settings::SETTINGS;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn output(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("the binary runs");
    (status.code(), String::from_utf8(stderr).expect("messages of UTF-8"))
}

#[test]
fn invalid_setting_is_named_with_its_source() {
    for (flags, variable, expected) in [
        (
            vec!["--port", "70000"],
            ("LLM_SHELL_PORT", "1"),
            "invalid --port \"70000\" (command line)",
        ),
        (vec![], ("LLM_SHELL_PORT", "-1"), "invalid LLM_SHELL_PORT \"-1\" (environment)"),
        (vec![], ("LLM_SHELL_LOG_DIR", ""), "LLM_SHELL_LOG_DIR (environment) is empty"),
        (vec![], ("LLM_SHELL_KILL_TIMEOUT", "soon"), "a number of seconds"),
        (vec![], ("LLM_SHELL_MAX_LINE_BYTES", "1"), "a whole number from 64"),
    ] {
        let (code, stderr) = output(binary().args(flags).env(variable.0, variable.1));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn invalid_dotenv_setting_is_named_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "LLM_SHELL_PORT=x\n").unwrap();
    let (code, stderr) = output(binary().current_dir(folder.path()));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("invalid LLM_SHELL_PORT \"x\" (.env)"), "{stderr}");
}

/// Starts the server in a folder with this `.env`.
fn server_with_dotenv(content: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), content).unwrap();
    let mut command = Command::new("sh");
    let start = format!("cp {}/.env . && exec \"$0\"", folder.path().display());
    command.args(["-c", &start, env!("CARGO_BIN_EXE_llm-shell")]);
    Server::start_command(command)
}

#[test]
fn dotenv_is_read_from_the_working_directory() {
    let server = server_with_dotenv("LLM_SHELL_LOG_DIR=elsewhere\nOTHER line\nRUST_LOG=debug\n");
    assert!(server.folder().join("elsewhere").is_dir());
    let log = server.log();
    assert!(
        log.contains("settings from .env: LLM_SHELL_LOG_DIR") && log.contains("DEBUG"),
        "{log}"
    );
}

/// A command can write `.env`, because it is started in the same directory.
#[test]
fn dotenv_cannot_set_security_settings() {
    let names = ["SHELL", "ALLOWED_ORIGINS", "ALLOWED_HOSTS", "INSECURE"];
    let lines = names.map(|name| format!("LLM_SHELL_{name}=http://evil.example\n"));
    let server = server_with_dotenv(&lines.concat());
    assert_eq!(server.run_to_end("true")["exit_code"], 0);
    let page = ["Origin: http://evil.example"];
    server.request("GET /status", &page, b"").problem(403, "forbidden");
    server.request_as("evil.example", "GET /status", &[], b"").problem(403, "forbidden");
    let log = server.log();
    for name in names {
        assert!(log.contains(&format!("LLM_SHELL_{name} in .env is ignored")), "{log}");
    }
}

#[test]
fn writable_dotenv_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    let refused = |expected: &str| {
        let (code, stderr) = output(binary().args(["--port", "0"]).current_dir(folder.path()));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
    };
    std::fs::write(&path, "LLM_SHELL_PORT=0\nLLM_SHELL_TOKEN hunter2-hunter2\n").unwrap();
    refused(".env: line 2: expected NAME=value");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o646)).unwrap();
    refused(".env: other users can write it");
    // Containers run with root's group.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o664)).unwrap();
    refused(".env: other users can write it");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(nix::unistd::geteuid().is_root(), "only root can give a file away: run it as root");
    std::os::unix::fs::chown(&path, Some(1), Some(1)).unwrap();
    refused(".env: belongs to another user");
    std::fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(".env: not a regular file");
}

#[test]
fn clients_read_only_a_named_dotenv() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("LLM_SHELL_PORT={}\n", server.address().port());
    std::fs::write(folder.path().join(".env"), "LLM_SHELL_PORT=1\nLLM_SHELL_TOKEN broken\n")
        .unwrap();
    std::fs::write(folder.path().join("named"), settings).unwrap();
    let mut client = binary();
    client.args(["ctl", "--env-file", "named", "health"]).current_dir(folder.path());
    let (code, stderr) = output(&mut client);
    assert_eq!(code, Some(0), "{stderr}");
    let mut mcp = binary();
    mcp.arg("mcp").current_dir(folder.path()).env("XDG_STATE_HOME", folder.path());
    let (code, stderr) = output(&mut mcp);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stderr) = output(binary().args(["ctl", "--env-file", "/no/such", "health"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("/no/such: no such file"), "{stderr}");
}

#[test]
fn invalid_rust_log_is_refused() {
    for bad in ["inf", "llm_shell=loud"] {
        let (code, stderr) = output(binary().args(["--port", "0"]).env("RUST_LOG", bad));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(&format!("invalid RUST_LOG {bad:?} (environment)")), "{stderr}");
    }
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
fn port_in_use_exits_with_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stderr) = output(binary().args(["--port", &port]).current_dir(folder.path()));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    assert!(stderr.contains("--port"), "{stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn listening_beyond_loopback_requires_consent() {
    for host in ["0.0.0.0", "::"] {
        let (code, stderr) = output(binary().args(["--host", host, "--port", "0"]));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("--insecure"), "{stderr}");
    }
    let (code, stderr) = output(binary().args(["--host", "no.such.host.invalid"]));
    assert_eq!(code, Some(2), "{stderr}");
    let expected = "--host (command line) is \"no.such.host.invalid\", which cannot be resolved";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn invalid_shell_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["/no/such/shell", "no-such-shell", "/etc/passwd", "/etc"] {
        let mut command = binary();
        command.current_dir(folder.path()).env("LLM_SHELL_SHELL", shell);
        let (code, stderr) = output(&mut command);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(
            stderr.contains(&format!("invalid LLM_SHELL_SHELL {shell:?} (environment)")),
            "{stderr}"
        );
    }
    let server = Server::start_with(&["--shell", "sh"]);
    assert_eq!(server.run_to_end("exit 4")["exit_code"], 4);
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
fn invalid_log_directory_exits_with_its_path() {
    let (code, stderr) = output(binary().args(["--port", "0", "--log-dir", "/dev/null/logs"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("/dev/null/logs") && stderr.contains("LLM_SHELL_LOG_DIR"), "{stderr}");
}

#[test]
fn log_directory_setting_applies() {
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

#[test]
fn full_disk_behind_stdout_is_reported() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = binary().arg("schema").stdout(full).output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(stderr.contains("free some space") && !stderr.contains("processes"), "{stderr}");
}
