//! Faults of ours and of the machine: each costs what it must, and nothing else.

mod bombs;
mod files;
mod frozen;
mod hangs;
mod held;
mod panics;
mod proc;
mod processes;
mod signals;

use crate::harness::binary;
use nix::libc;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// The program under test as a user whom nothing else belongs to, who may have so many processes
/// and threads. `None` where we may not change our user.
fn as_user(user: libc::uid_t, processes: u64) -> Option<Command> {
    let make = || {
        let mut command = binary();
        // SAFETY: setrlimit, setgid and setuid are async-signal-safe and touch no memory of ours.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit { rlim_cur: processes, rlim_max: processes };
                let done = [
                    libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit),
                    libc::setgid(user),
                    libc::setuid(user),
                ];
                let failed = done.iter().any(|done| *done != 0);
                if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
            });
        }
        command
    };
    let may = make().arg("--version").output().is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("not permitted here: setuid({user}), or the binary is not for everybody");
    }
    may.then(make)
}

/// Processes of a user that do nothing but count; they end when this is dropped.
struct Crowd(Vec<Child>);

impl Crowd {
    fn gather(user: libc::uid_t, count: u64) -> Self {
        let one = || {
            let mut sleep = Command::new("sleep");
            sleep.arg("600").current_dir("/").uid(user);
            sleep.spawn().expect("a free process")
        };
        Self(std::iter::repeat_with(one).take(usize::try_from(count).unwrap()).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

/// How many processes and threads a user has.
fn count_tasks(user: libc::uid_t) -> u64 {
    let listed = Command::new("ps").args(["-L", "-o", "lwp=", "-U", &user.to_string()]).output();
    String::from_utf8_lossy(&listed.expect("ps runs").stdout).lines().count() as u64
}
