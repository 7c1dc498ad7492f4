//! A disk that does not respond: supervision continues.

use crate::harness::{Astra, Server, binary, eventually, kill, send};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A file system in a file, which can be frozen. Needs root and a loop device.
struct Disk {
    folder: TempDir,
}

/// A frozen disk, thawed on drop. To be declared after the server, which cannot end
/// before the disk is thawed.
struct Frozen(PathBuf);

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "this test needs {program} {arguments:?}: {stderr}");
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
        std::fs::File::create(&image).unwrap().set_len(32 * 1024 * 1024).unwrap();
        std::fs::create_dir(&disk).unwrap();
        run("mkfs.ext4", &["-q", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), disk.to_str().unwrap()]);
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Returns the log directory, as the value of a flag.
    fn logs(&self) -> String {
        self.path().join("logs").display().to_string()
    }

    fn freeze(&self) -> Frozen {
        run("fsfreeze", &["--freeze", self.path().to_str().unwrap()]);
        Frozen(self.path())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run("fsfreeze", &["--unfreeze", self.0.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The kernel may still be closing the files of the server.
        eventually("the disk is free", || {
            let unmounted = Command::new("umount").arg(self.path()).output();
            unmounted.is_ok_and(|output| output.status.success()).then_some(())
        });
    }
}

/// A command that prints a number every 10 ms.
const COUNTS: &str = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done";

fn astra_on(disk: &Disk) -> Astra {
    let services = json!({
        "counts": {"cmd": COUNTS, "restart_policy": {"mode": "never"}},
        "sleeps": {
            "cmd": "exec sleep 600",
            "restart_policy": {"mode": "always", "backoff_seconds": 0.1},
        },
    });
    let mut command = binary();
    command.args(["astra", "--config", "services.json", "--log-dir", &disk.logs()]);
    let astra = Astra::start_bare(command, services);
    astra.wait_for_line("counts", "3");
    astra.wait_for("sleeps", "running");
    astra
}

/// Whether a text was stored on a disk.
fn is_stored(folder: &Path, end: &str, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files = files.filter(|file| file.to_str().unwrap().ends_with(end));
    files.any(|file| std::fs::read_to_string(file).unwrap().contains(text))
}

#[test]
fn frozen_disk_hides_no_end_and_stops_no_restart() {
    let disk = Disk::new();
    let astra = astra_on(&disk);
    let pids = ["sleeps", "counts"].map(|name| astra.pid_of(name));
    let frozen = disk.freeze();
    for pid in pids {
        kill("KILL", pid);
    }
    let is_another = |pid: &Value| pid.is_u64() && *pid != pids[0];
    let is_again = |it: &Value| it["status"] == "running" && is_another(&it["pid"]);
    let again = astra.wait_until("sleeps", "running again", is_again);
    assert_eq!(again["restart_count"], 1);
    let exits = astra.get("/supervisor/services/sleeps").expect(200).json()["exits"].clone();
    assert_eq!((&exits[0]["exit_code"], &exits[0]["ended_by"]), (&json!(-9), &json!("signal")));
    let counts = astra.wait_for("counts", "crashed");
    assert_eq!((&counts["log_pending"], &counts["exit_code"]), (&json!(true), &json!(-9)));
    drop(frozen);
    astra.wait_until("counts", "on disk", |it| it.get("log_pending").is_none());
    // None of its output is lost, and its end is recorded afterwards.
    let lines = astra.lines("counts");
    let expected: Vec<String> = (1..=lines.len()).map(|number| number.to_string()).collect();
    assert!(lines.len() > 3 && lines == expected, "{lines:?}");
    let ledger = disk.path().join("logs/sleeps");
    eventually("the ledger is written", || {
        let run_id = exits[0]["run_id"].as_str().unwrap();
        let text = std::fs::read_to_string(ledger.join(".runs")).unwrap();
        (text.matches(run_id).count() == 3 && text.matches("started").count() == 2).then_some(())
    });
}

#[test]
fn a_command_ends_and_the_next_starts_on_a_frozen_disk() {
    let disk = Disk::new();
    let mut command = binary();
    command.args(["--log-dir", &disk.logs()]);
    let server = Server::start_command(command);
    server.run("echo one; while [ ! -e go ]; do sleep 0.01; done; echo two; exit 3");
    server.wait_for_output("one");
    let frozen = disk.freeze();
    std::fs::write(server.folder().join("go"), "").unwrap();
    let ended = server.ended();
    assert_eq!((&ended["exit_code"], &ended["log_pending"]), (&json!(3), &json!(true)), "{ended}");
    let path = format!("/runs/{}", ended["run_id"].as_str().unwrap());
    let next = server.run("echo next; exec sleep 60");
    assert_eq!(next["status"], "running");
    drop(frozen);
    server.wait_for_output("next");
    assert_eq!(server.get(&format!("{path}/logs")).expect(200).json()["content"], "one\ntwo");
    eventually("it has a file", || {
        is_stored(&disk.path().join("logs"), ".log", "\"next\"").then_some(())
    });
    server.post("/kill").expect(200);
    // The next server knows both.
    let mut server = server;
    server.signal("TERM");
    server.wait();
    server.start_again();
    assert_eq!(server.get(&path).expect(200).json()["exit_code"], 3);
    let next = format!("/runs/{}/logs", next["run_id"].as_str().unwrap());
    assert_eq!(server.get(&next).expect(200).json()["content"], "next");
}

#[test]
fn two_signals_end_a_server_whose_disk_is_frozen() {
    let disk = Disk::new();
    let mut astra = astra_on(&disk);
    let frozen = disk.freeze();
    astra.signal("TERM");
    astra.wait_for_log("shutting down");
    astra.signal("TERM");
    // The kernel holds the writing thread until the disk is thawed; all else has ended.
    let stat = format!("/proc/{}/stat", astra.pid());
    let state =
        || std::fs::read_to_string(&stat).unwrap().split_once(") ").unwrap().1[..1].to_owned();
    eventually("its main thread has ended", || (state() == "Z").then_some(()));
    assert_eq!(astra.living(), Vec::<String>::new());
    assert!(std::net::TcpStream::connect(astra.address()).is_err(), "its port is closed");
    assert!(astra.log().contains("disk not responding"), "{}", astra.log());
    drop(frozen);
    assert_eq!(astra.wait().code(), Some(0));
}

/// Its log directory cannot be created, which blocks only the request that adds it.
#[test]
fn adding_a_service_on_a_frozen_disk_blocks_no_other() {
    let disk = Disk::new();
    let mut astra = astra_on(&disk);
    let frozen = disk.freeze();
    let address = astra.address();
    let adds = std::thread::spawn(move || {
        let body = json!({"name": "new", "config": {"cmd": "exec sleep 600"}}).to_string();
        send(address, "localhost", "POST /supervisor/start", &[], body.as_bytes())
    });
    eventually("it hangs", || is_hung_on_the_disk(astra.pid()).then_some(()));
    assert_eq!(astra.settle("restart", "sleeps"), "running");
    assert_eq!(astra.settle("stop", "counts"), "stopped");
    assert!(astra.get("/supervisor/status/new").status == 404, "it is not there yet");
    drop(frozen);
    assert_eq!(adds.join().unwrap().status, 200);
    astra.wait_for("new", "running");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
}

/// The set of services that need a log directory may change while the directories of others
/// are created.
#[test]
fn service_returning_while_another_is_added_is_reloaded() {
    let disk = Disk::new();
    let mut astra = astra_on(&disk);
    let sleeps = json!({"cmd": "exec sleep 600"});
    let slow = json!({"cmd": "trap 'sleep 2; exit 0' TERM; sleep 600 & wait"});
    astra.write(json!({"sleeps": sleeps, "slow": slow}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    astra.wait_for("slow", "running");
    astra.write(json!({"sleeps": sleeps}));
    astra.post_json("/supervisor/reload", &json!({})).expect(200);
    let frozen = disk.freeze();
    astra.write(json!({"sleeps": sleeps, "slow": slow, "new": sleeps}));
    let address = astra.address();
    let reload = std::thread::spawn(move || {
        send(address, "localhost", "POST /supervisor/reload", &[], b"{}")
    });
    eventually("it hangs", || is_hung_on_the_disk(astra.pid()).then_some(()));
    eventually("the leaving one is gone", || {
        (astra.get("/supervisor/status/slow").status == 404).then_some(())
    });
    drop(frozen);
    assert_eq!(reload.join().unwrap().status, 200);
    astra.wait_for("slow", "running");
    astra.wait_for("new", "running");
    astra.signal("TERM");
    assert_eq!(astra.wait().code(), Some(0));
}

#[test]
fn two_signals_end_a_server_adding_a_service_on_a_frozen_disk() {
    let disk = Disk::new();
    let mut astra = astra_on(&disk);
    let mut services = json!({"new": {"cmd": "exec sleep 600"}});
    services["sleeps"] = json!({"cmd": "exec sleep 600"});
    let frozen = disk.freeze();
    astra.write(services);
    astra.signal("HUP");
    eventually("it hangs", || is_hung_on_the_disk(astra.pid()).then_some(()));
    astra.signal("TERM");
    astra.wait_for_log("shutting down");
    astra.signal("TERM");
    eventually("all has ended", || astra.living().is_empty().then_some(()));
    drop(frozen);
    assert_eq!(astra.wait().code(), Some(0));
}

/// Whether a thread other than the log writer waits in the kernel for a disk.
fn is_hung_on_the_disk(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let is_hung = |task: std::io::Result<std::fs::DirEntry>| {
        let read = |file: &str| std::fs::read_to_string(task.as_ref().ok()?.path().join(file)).ok();
        let is_writer = read("comm").is_none_or(|name| name.starts_with("log-"));
        let state = read("stat").and_then(|it| Some(it.rsplit_once(") ")?.1[..1].to_owned()));
        !is_writer && state.is_some_and(|state| state == "D")
    };
    tasks.into_iter().any(is_hung)
}
