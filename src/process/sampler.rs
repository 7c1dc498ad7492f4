//! What processes have cost so far, as sysinfo reads it.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::thread;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// From how many processes on work is divided: below that, starting a thread takes as long as it
/// saves.
pub(super) const PARALLEL_MIN: usize = 128;

/// How many processors are taken at most: what waits for a sample is not all that the machine does.
const WORKERS_MAX: usize = 4;

/// In how many parts many processes are looked at: enough that no processor waits for another's.
const PARTS: usize = 8;

/// What a process has cost since it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// In seconds since 1970: tells a process from another that had its number.
    pub start_time: u64,
    /// CPU time.
    pub cpu_milliseconds: u64,
    /// Resident memory.
    pub bytes: u64,
}

/// Reads what processes cost. One serves many meters: a new one reads much of the machine first.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Vec<System>>);

impl Sampler {
    /// What each of these processes has cost, as far as it lives. Blocks for three files of each,
    /// 10 microseconds apiece, and for who else samples.
    pub(super) fn read_costs(&self, numbers: impl Iterator<Item = i32>) -> HashMap<i32, Cost> {
        let wanted: BTreeSet<Pid> = numbers.map(pid_of).collect();
        let mut systems = self.0.lock();
        let parts = if wanted.len() < PARALLEL_MIN { 1 } else { PARTS };
        if systems.len() != parts {
            *systems = (0..parts).filter_map(|_| System::new().ok()).collect();
        }
        let parts = systems.len();
        parallel_map(systems.iter_mut().enumerate(), |(part, system)| {
            let is_of_it = |pid: &Pid| pid.as_u32() as usize % parts == part;
            refresh(system, wanted.iter().copied().filter(is_of_it));
        });
        let held = systems.iter().flat_map(System::processes);
        let cost_of = |process: &sysinfo::Process| Cost {
            start_time: process.start_time(),
            cpu_milliseconds: process.accumulated_cpu_time(),
            bytes: process.memory(),
        };
        let held = held.map(|(pid, process)| (pid.as_u32().cast_signed(), cost_of(process)));
        held.collect()
    }
}

/// Has the system hold these processes as they are now, and none that is gone.
fn refresh(system: &mut System, wanted: impl Iterator<Item = Pid>) {
    // Those of the last look are named as well: the ones that are gone leave by that. Each is named
    // once: what is named a second time is taken for gone.
    let named: BTreeSet<Pid> = system.processes().keys().copied().chain(wanted).collect();
    let named: Vec<Pid> = named.into_iter().collect();
    let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    // How many were found is all that is given, and that can be counted.
    let _found = system.refresh_processes_specifics(ProcessesToUpdate::Some(&named), true, what);
}

fn pid_of(number: i32) -> Pid {
    Pid::from_u32(number.cast_unsigned())
}

/// What `work` gives of each part, in any order. Blocks until all is done; the calling thread takes
/// part, and does all of it where no other is to be had.
pub(super) fn parallel_map<Part, Done>(
    parts: impl ExactSizeIterator<Item = Part> + Send,
    work: impl Fn(Part) -> Done + Sync,
) -> Vec<Done>
where
    Done: Send,
{
    let processors = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    let workers = processors.min(parts.len());
    let (parts, done) = (Mutex::new(parts), Mutex::new(Vec::new()));
    let next = || parts.lock().next();
    let work_on = || {
        while let Some(part) = next() {
            let result = work(part);
            done.lock().push(result);
        }
    };
    thread::scope(|threads| {
        for _ in 1..workers {
            let worker = thread::Builder::new().name("sampler".into()).stack_size(128 * 1024);
            // Where there is none to be had, the others do its part.
            let _none = worker.spawn_scoped(threads, work_on);
        }
        work_on();
    });
    done.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for count in [0, 1, 5, 1000] {
            let mut done = parallel_map((0..count).collect::<Vec<i32>>().into_iter(), |part| part);
            done.sort_unstable();
            assert_eq!(done, (0..count).collect::<Vec<i32>>());
        }
    }
}
