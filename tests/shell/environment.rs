//! The initial environment and descriptors of a command.

use crate::harness::{Server, binary, eventually};
use std::os::unix::process::CommandExt;

#[test]
fn command_inherits_the_environment_without_our_settings() {
    let mut command = binary();
    command.env("LLM_SHELL_KILL_TIMEOUT", "1").env("LLM_SHELL_OTHER", "x").env("MINE", "kept");
    let server = Server::start_command(command);
    let run = server.run_to_end("env");
    let environment = server.content("");
    assert!(!environment.contains("LLM_SHELL_"), "{environment}");
    assert!(environment.contains("MINE=kept"), "{environment}");
    assert!(environment.contains(&format!("RUN_ID={}", run["run_id"].as_str().unwrap())));
}

#[test]
fn a_command_reads_end_of_file_from_its_input() {
    let server = Server::start();
    assert_eq!(server.run_to_end("cat; echo $?")["exit_code"], 0);
    assert_eq!(server.content(""), "0");
}

#[test]
fn command_starts_with_clean_signals_and_descriptors() {
    let mut command = binary();
    // As `nohup … &` of an older shell does: signals ignored, a descriptor open.
    // SAFETY: signal(2) and dup2(2) are async-signal-safe and touch no memory of ours.
    unsafe {
        command.pre_exec(|| {
            for signal in [nix::libc::SIGINT, nix::libc::SIGQUIT, nix::libc::SIGHUP] {
                nix::libc::signal(signal, nix::libc::SIG_IGN);
            }
            nix::libc::dup2(2, 77);
            Ok(())
        })
    };
    let server = Server::start_command(command);
    server.run_to_end("grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd");
    // `ls` has the directory that it lists open as well.
    let expected = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n3";
    assert_eq!(server.content(""), expected);
    let run = server.run_to_end("cut -d' ' -f6 /proc/self/stat");
    assert_eq!(server.content(""), run["process_pid"].to_string(), "the session is its own");
}

#[test]
fn ignored_sighup_stays_ignored() {
    let mut command = binary();
    // SAFETY: signal(2) is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            nix::libc::signal(nix::libc::SIGHUP, nix::libc::SIG_IGN);
            Ok(())
        })
    };
    let server = Server::start_command(command);
    server.signal("HUP");
    server.get("/health").expect(200);
}

#[test]
fn inherited_child_is_not_a_leftover() {
    let mut command = std::process::Command::new("sh");
    let start = "sleep 60 & echo $! >orphan; exec \"$0\"";
    command.args(["-c", start, env!("CARGO_BIN_EXE_llm-shell")]);
    let server = Server::start_command(command);
    let ended = server.run_to_end("(sleep 61 &); exit 0");
    assert_eq!(ended["leftover_pids"].as_array().unwrap().len(), 1, "{ended}");
    server.post("/kill").expect(200);
    let living = server.living();
    assert!(living.len() == 1 && living[0].contains("sleep 60"), "{living:?}");
    let orphan = std::fs::read_to_string(server.folder().join("orphan")).unwrap();
    crate::harness::kill("KILL", orphan.trim().parse().unwrap());
    eventually("the orphan is collected", || server.living().is_empty().then_some(()));
}
