//! Commands that are run to their end while the caller waits.

use super::error::Result;
use super::launch::Launch;
use super::leader::Leader;
use super::outcome::Outcome;
use super::reaper::{Launched, Reaper};
use super::tree::{Orphans, Tree};
use crate::syscall::{is_readable, retry};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Number of bytes of its output that are kept: the last ones.
const OUTPUT_BYTES_MAX: usize = 4096;

/// Number of bytes that are read after its end: what the largest pipe holds, not what a process
/// that it left behind goes on printing.
const LAST_BYTES_MAX: usize = 256 * 1024;

/// Time for a process to be gone after SIGKILL. One that is still there then is held by the kernel.
const FORCE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time to wait for a death before checking again. Deaths wake us, so this is for one that /proc
/// left out because the list changed while it was read.
const FORCE_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit status; `None` if it was killed because its timeout expired.
    pub outcome: Option<Outcome>,
    /// The end of its output, 4 KiB at most.
    pub output: Vec<u8>,
    /// Its own process, if the kernel held that longer than we waited.
    pub remains: Option<Arc<Leader>>,
}

/// The time limit of a command.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// Duration from its launch.
    pub timeout: Duration,
    /// A descriptor that ends its time as well when it becomes readable.
    pub until: Option<BorrowedFd<'a>>,
}

/// Runs a command to its end, for as long as `limit` allows, and kills what it leaves behind, so
/// that a command that is run again and again does not pile up processes. Blocks for all of that,
/// little longer than the limit.
///
/// # Errors
/// Those of `Reaper::launch`.
pub fn run_with_timeout(reaper: &Reaper, mut launch: Launch, limit: Limit<'_>) -> Result<Ended> {
    let deadline = Instant::now() + limit.timeout;
    let id = format!("{:016x}", RandomState::new().build_hasher().finish());
    launch.marks.push(id.clone());
    let is_over = || Instant::now() >= deadline || limit.until.is_some_and(is_readable);
    let Launched { leader, descriptors, stdin: _none, control: _no_shell } =
        reaper.launch(launch, &is_over)?;
    let leader = Arc::new(leader);
    let tree = Tree::new(Arc::clone(&leader), &id, Orphans::Attributed, None);
    let mut output = Tail::default();
    let is_in_time =
        output.read_until(File::from(descriptors.output), &descriptors.end, deadline, limit.until);
    // The tree is swept before its leader is collected, whose pid may then be reused.
    force(&tree, reaper);
    let outcome = reaper.collect_or_leave(&leader).filter(|_| is_in_time);
    let remains = if leader.has_ended() { None } else { Some(leader) };
    Ok(Ended { outcome, output: output.bytes, remains })
}

fn force(tree: &Tree, reaper: &Reaper) {
    let deadline = Instant::now() + FORCE_TIMEOUT;
    loop {
        let (seen, now) = (reaper.changes(), Instant::now());
        if tree.is_gone(reaper) || now >= deadline {
            return;
        }
        // The reasons are of no interest here: the result is that of the command itself.
        let _left = tree.left_behind(reaper);
        reaper.wait_for_change(seen, deadline.min(now + FORCE_CHECK_INTERVAL));
    }
}

/// The end of what was read.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Reads until the command's own process has ended, and then what the pipe holds. Returns
    /// whether it ended before the deadline.
    fn read_until(
        &mut self,
        pipe: File,
        end: &OwnedFd,
        deadline: Instant,
        until: Option<BorrowedFd<'_>>,
    ) -> bool {
        let mut pipe = Some(pipe);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // The end is checked first: all that was printed before it is in the pipe by then.
            let has_ended = wait(end, pipe.as_ref(), until, left);
            if has_ended || left.is_zero() || until.is_some_and(is_readable) {
                let mut rest = 0;
                while rest < LAST_BYTES_MAX
                    && pipe.as_ref().is_some_and(|pipe| is_readable(pipe.as_fd()))
                {
                    rest += self.read_some(&mut pipe);
                }
                return has_ended;
            }
            if pipe.as_ref().is_some_and(|pipe| is_readable(pipe.as_fd())) {
                self.read_some(&mut pipe);
            }
        }
    }

    /// Reads what there is, and drops the pipe at its end.
    fn read_some(&mut self, pipe: &mut Option<File>) -> usize {
        let mut bytes = [0; 16 * 1024];
        let read = pipe
            .as_mut()
            .map_or(Ok(0), |pipe| retry(|| pipe.read(&mut bytes).map_err(|error| error.kind())));
        // A pipe that cannot be read is treated like one at its end.
        let read = read.unwrap_or(0);
        if read == 0 {
            *pipe = None;
        }
        self.bytes.extend_from_slice(&bytes[..read]);
        self.bytes.drain(..self.bytes.len().saturating_sub(OUTPUT_BYTES_MAX));
        read
    }
}

/// Waits until the command's own process has ended, the pipe can be read, or the time is up.
/// Returns whether the process has ended.
fn wait(
    end: &OwnedFd,
    pipe: Option<&File>,
    until: Option<BorrowedFd<'_>>,
    at_most: Duration,
) -> bool {
    let others = pipe.map(AsFd::as_fd).into_iter().chain(until);
    let all = std::iter::once(end.as_fd()).chain(others);
    let mut watched: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    // Rounded up, so that the last millisecond is not spent in a busy loop.
    let timeout = PollTimeout::try_from(at_most + Duration::from_millis(1));
    // A failure is like a wait that was too short: the caller's deadline ends it.
    let _unknown = retry(|| poll(&mut watched, timeout.unwrap_or(PollTimeout::MAX)));
    watched[0].any().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::procfs::Procfs;
    use super::super::tests::{launch_of, reaper};
    use super::super::{CommandLine, Signal};
    use super::*;

    fn run(text: &str, timeout: f64) -> Ended {
        let launch = launch_of(CommandLine::Shell(text.to_owned()));
        let limit = Limit { timeout: Duration::from_secs_f64(timeout), until: None };
        run_with_timeout(reaper(), launch, limit).unwrap()
    }

    /// Whether a process has neither ended nor become a zombie.
    fn lives(pid: &str) -> bool {
        let number = pid.trim().parse().unwrap();
        Procfs::detect().read(number).is_some_and(|process| process.state != 'Z')
    }

    #[test]
    fn exit_code_and_end_of_output_are_returned() {
        let ended = run("echo one; echo two >&2; exit 3", 20.0);
        assert_eq!(ended.outcome, Some(Outcome::Exited(3)));
        assert_eq!(ended.output, b"one\ntwo\n");
        let ended = run("kill -KILL $$", 20.0);
        assert_eq!(ended.outcome, Some(Outcome::Signalled(Signal::KILL.number())));
    }

    #[test]
    fn only_the_end_of_a_flood_is_kept() {
        let ended = run("yes | head -c 10000000; echo; echo end", 20.0);
        assert_eq!(ended.outcome, Some(Outcome::Exited(0)));
        assert_eq!(ended.output.len(), OUTPUT_BYTES_MAX);
        assert!(ended.output.ends_with(b"y\n\nend\n"));
    }

    #[test]
    fn command_that_closes_its_output_is_awaited() {
        let ended = run("exec >&- 2>&-; sleep 0.2; exit 4", 20.0);
        assert_eq!((ended.outcome, ended.output), (Some(Outcome::Exited(4)), Vec::new()));
    }

    #[test]
    fn command_over_its_timeout_is_killed_with_its_tree() {
        let text = "setsid sh -c 'trap \"\" TERM; echo $$; sleep 1000' & \
                    (setsid sh -c 'echo $$; exec sleep 1000' &); wait";
        let began = Instant::now();
        let ended = run(text, 0.5);
        assert_eq!(ended.outcome, None);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let pids = String::from_utf8(ended.output).unwrap();
        assert_eq!(pids.lines().count(), 2, "{pids}");
        assert_eq!(pids.lines().find(|pid| lives(pid)), None);
    }

    #[test]
    fn processes_left_behind_are_killed() {
        let began = Instant::now();
        let ended = run("setsid sh -c 'echo $$; yes' & sleep 0.2; exit 0", 20.0);
        assert_eq!(ended.outcome, Some(Outcome::Exited(0)));
        assert!(began.elapsed() < Duration::from_secs(10));
        let ended = run("(sleep 1000 & echo $!)", 20.0);
        assert!(!lives(&String::from_utf8(ended.output).unwrap()));
    }
}
