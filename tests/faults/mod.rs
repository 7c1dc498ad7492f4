//! Failures of the program and of the machine, and the limits of their effects.

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

/// Returns the program under test as an otherwise unused user with this limit of processes and
/// threads. `None` if the user cannot be changed.
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

/// Idle processes of a user, which count towards its limit; killed on drop.
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

/// Returns the number of processes and threads of a user.
fn count_tasks(user: libc::uid_t) -> u64 {
    let listed = Command::new("ps").args(["-L", "-o", "lwp=", "-U", &user.to_string()]).output();
    String::from_utf8_lossy(&listed.expect("ps runs").stdout).lines().count() as u64
}
