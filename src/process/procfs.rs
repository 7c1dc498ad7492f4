//! Readings from /proc: who is whose child, and who is who.

use super::leader::retry;
use super::sampler::{DIVIDED_FROM, parallel_map};
use nix::unistd::{Pid, getpid};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;
use std::{fs, thread};

/// A process as /proc shows it at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its number in our own pid namespace: the one that system calls take.
    pub pid: Pid,
    /// Its number under /proc, which differs where /proc is another pid namespace's.
    pub number: i32,
    /// `R`, `S`, `D`, `T`, `Z` …: the state letter of proc(5). `Z` only where all of it is dead:
    /// one whose main thread alone has ended counts as sleeping.
    pub state: char,
    /// Its parent, as a number under /proc.
    pub parent: i32,
    /// The session that it belongs to, as a number under /proc.
    pub session: i32,
    /// How many threads it has.
    pub threads: u32,
    /// When it started, in clock ticks since boot. With the pid it names one process for ever.
    pub start_ticks: u64,
}

/// /proc, as seen from this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Procfs {
    own_number: i32,
    /// Which of the numbers in an `NSpid` line is the one of our namespace; `None` where /proc
    /// shows our own namespace and nothing needs to be translated.
    depth: Option<usize>,
}

impl Procfs {
    /// Finds out whose namespace /proc shows. One started by `unshare --pid` without a /proc of
    /// its own sees the numbers of the namespace above.
    pub fn look() -> Self {
        let own = getpid().as_raw();
        let link = fs::read_link("/proc/self").ok();
        let shown = link.and_then(|link| link.to_str()?.parse().ok()).unwrap_or(own);
        let depth = (shown != own).then(|| namespaced_numbers(shown).len().saturating_sub(1));
        Self { own_number: shown, depth }
    }

    /// Whether /proc shows another namespace's numbers.
    pub fn is_foreign(self) -> bool {
        self.depth.is_some()
    }

    /// The children of our main thread: the processes that were handed to us when their parent
    /// died, because the kernel prefers that thread. An empty answer is exact: the kernel lists
    /// the first child under its lock. `None` where /proc shows nothing at all: somebody has put
    /// another file system over it.
    pub fn orphans(self) -> Option<Vec<i32>> {
        match read_children(self.own_number, self.own_number) {
            // A kernel without such lists has none to give, and shows us all the same.
            None => self.see(self.own_number).map(|_| Vec::new()),
            listed => listed,
        }
    }

    /// The children of one of our other threads.
    pub fn children_of_thread(self, thread: i32) -> Vec<i32> {
        children_of_thread(self.own_number, thread)
    }

    /// The numbers under /proc of a process's children. One that comes or goes meanwhile may be
    /// missing, so whoever needs all of them looks again until nothing is new.
    pub fn children(number: i32) -> Vec<i32> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{number}/task")) else { return Vec::new() };
        let threads = tasks.filter_map(|t| t.ok()?.file_name().to_str()?.parse::<i32>().ok());
        threads.flat_map(|thread| children_of_thread(number, thread)).collect()
    }

    /// Our own number under /proc.
    pub fn own_number(self) -> i32 {
        self.own_number
    }

    /// Every process that /proc shows.
    pub fn all(self) -> Vec<Seen> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let numbers = entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let numbers: Vec<i32> = numbers.collect();
        let seen = parallel_map(numbers.chunks(DIVIDED_FROM), |numbers| {
            numbers.iter().filter_map(|number| self.see(*number)).collect::<Vec<Seen>>()
        });
        seen.concat()
    }

    /// Looks at one process; `None` when it is gone (reaped).
    pub fn see(self, number: i32) -> Option<Seen> {
        let stat = stat_of(number).ok()?;
        let Stat { state, parent, session, threads, start_ticks } = parse_stat(&stat)?;
        let pid = match self.depth {
            None => number,
            Some(depth) => *namespaced_numbers(number).get(depth)?,
        };
        let pid = Pid::from_raw(pid);
        Some(Seen { pid, number, state, parent, session, threads, start_ticks })
    }

    /// The number under /proc of a child of ours, known by its pid.
    pub fn number_of(self, pid: Pid) -> Option<i32> {
        if self.depth.is_none() {
            return Some(pid.as_raw());
        }
        let ours = Self::children(self.own_number);
        ours.into_iter().find(|number| self.see(*number).is_some_and(|seen| seen.pid == pid))
    }
}

/// More than a `stat` line has, in bytes: 52 fields of at most 20 digits, and a name of 64 bytes.
const STAT_BYTES_MAX: usize = 2048;

/// How often a process is looked at that is being executed, whose environment is not there yet, and
/// how long is waited between two looks. Nothing tells when it is there; it takes far less than the
/// first of these waits.
const EXEC_LOOKS: u32 = 50;
const EXEC_LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// How often the environment must be found empty to be so: it is for some instructions of an exec.
const EMPTY_LOOKS: u32 = 5;

/// Whether a process that the kernel keeps no memory of any more is on its way out: its environment
/// is gone before it is, and before its children are handed to another.
pub(super) fn is_ending(number: i32) -> bool {
    /// `PF_EXITING` of the kernel's sched.h, in field 9 of proc(5).
    const EXITING: u64 = 0x4;
    let Some(stat) = stat_behind_name(number) else { return true };
    let mut fields = stat.split_ascii_whitespace();
    let state = fields.next();
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok());
    state == Some("Z") || flags.is_some_and(|flags| flags & EXITING != 0)
}

/// The value of a name in the environment that a process was started with; `None` also where we
/// may not read it.
pub(super) fn environment_value(number: i32, name: &[u8]) -> Option<Vec<u8>> {
    let environment = environment_of(number);
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix(b"=")?.to_vec()))
}

/// The environment that a process was started with; empty where we may not read it. Blocks for a
/// moment where the process is just being executed.
fn environment_of(number: i32) -> Vec<u8> {
    let mut empty_looks = 0;
    for _ in 0..EXEC_LOOKS {
        let Ok(environment) = fs::read(format!("/proc/{number}/environ")) else { break };
        let Some(bounds) = environment_bounds(number) else { return environment };
        match bounds.len() {
            0 => {
                empty_looks += u32::from(bounds.end > 0);
                if empty_looks == EMPTY_LOOKS {
                    break;
                }
                thread::sleep(EXEC_LOOK_INTERVAL);
            }
            bytes if bytes == environment.len() => return environment,
            // It was executed while it was read: of the old one only the beginning was there.
            _ => {}
        }
    }
    Vec::new()
}

/// Where the environment of a process lies in its memory, by fields 50 and 51 of proc(5); `None`
/// once it has ended. Empty while it is being executed: the end is zero from the begin of an exec
/// on, then for a moment where the environment begins.
fn environment_bounds(number: i32) -> Option<Range<usize>> {
    let stat = stat_behind_name(number).filter(|_| !is_ending(number))?;
    let mut bounds = stat.split_ascii_whitespace().skip(47).map(str::parse::<usize>);
    Some(bounds.next()?.ok()?..bounds.next()?.ok()?)
}

/// What proc(5) tells of a process from field 3 on; `None` when it is gone.
fn stat_behind_name(number: i32) -> Option<String> {
    let stat = stat_of(number).ok()?;
    let name_end = memchr::memrchr(b')', &stat)?;
    Some(String::from_utf8_lossy(&stat[name_end + 1..]).into_owned())
}

/// The `stat` of a process: a line that the kernel gives whole to one read, of all fields at one
/// moment. A thousand of them are looked at for a sample, so it is one read, and no more calls.
fn stat_of(number: i32) -> io::Result<Vec<u8>> {
    let mut stat = vec![0; STAT_BYTES_MAX];
    let mut file = File::open(format!("/proc/{number}/stat"))?;
    let length = retry(|| file.read(&mut stat).map_err(|error| error.kind()))?;
    stat.truncate(length);
    Ok(stat)
}

fn children_of_thread(number: i32, thread: i32) -> Vec<i32> {
    read_children(number, thread).unwrap_or_default()
}

fn read_children(number: i32, thread: i32) -> Option<Vec<i32>> {
    let list = fs::read_to_string(format!("/proc/{number}/task/{thread}/children")).ok()?;
    Some(list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect())
}

/// The numbers of a process in the namespaces from /proc's down to its own.
fn namespaced_numbers(number: i32) -> Vec<i32> {
    let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_ascii_whitespace().filter_map(|part| part.parse().ok()).collect()
}

/// What a `stat` line tells.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: i32,
    session: i32,
    threads: u32,
    start_ticks: u64,
}

/// Fields 3, 4, 6, 20 and 22 of proc(5). The name, field 2, is in parentheses and may hold spaces
/// and parentheses itself.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let after_name = memchr::memrchr(b')', stat)? + 1;
    let mut fields = std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let threads = fields.nth(13)?.parse().ok()?;
    let start_ticks = fields.nth(1)?.parse().ok()?;
    let lives_on = state == 'Z' && threads > 1;
    Some(Stat { state: if lives_on { 'S' } else { state }, parent, session, threads, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_the_strangest_name() {
        let line = b"42 (a) Z (b\xff) S 1 42 40 0 -1 4194560 1 0 0 0 5 6 7 8 20 0 3 0 98765 1 2";
        let stat = Stat { state: 'S', parent: 1, session: 40, threads: 3, start_ticks: 98765 };
        assert_eq!(parse_stat(line), Some(stat));
    }

    #[test]
    fn a_process_lives_as_long_as_one_of_its_threads() {
        let with =
            |threads| format!("42 (a) Z 1 42 40 0 -1 0 1 0 0 0 5 6 7 8 20 0 {threads} 0 9 1 2");
        assert_eq!(parse_stat(with(1).as_bytes()).map(|stat| stat.state), Some('Z'));
        assert_eq!(parse_stat(with(2).as_bytes()).map(|stat| stat.state), Some('S'));
    }

    #[test]
    fn a_cut_stat_line_is_nobody() {
        assert_eq!(parse_stat(b"42 (a) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn environment_is_read_whole_across_repeated_execs() {
        let place = tempfile::tempdir().unwrap();
        let script = place.path().join("again");
        fs::write(&script, "exec /bin/sh \"$0\"").unwrap();
        let mut again = std::process::Command::new("/bin/sh");
        let mut again = again.arg(&script).env("Z_LAST", "of all").spawn().unwrap();
        let number = again.id().cast_signed();
        let has_last = |number| environment_value(number, b"Z_LAST") == Some(b"of all".to_vec());
        let missed = (0..3000).filter(|_| !has_last(number)).count();
        again.kill().unwrap();
        again.wait().unwrap();
        assert_eq!(missed, 0);
    }

    #[test]
    fn we_see_ourselves() {
        let procfs = Procfs::look();
        assert_eq!(procfs.see(procfs.own_number).map(|seen| seen.pid), Some(getpid()));
    }
}
