//! CPU time and memory of processes, as sysinfo reads them, and the parallel map to read many.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::thread;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Number of processes from which on work is divided: below that, starting a thread takes as long
/// as it saves.
pub(super) const PARALLEL_MIN: usize = 128;

/// Maximum number of processors to use: the machine has other work than a sample.
const WORKERS_MAX: usize = 4;

/// Number of parts that many processes are divided into: enough that no processor waits for
/// another.
const PARTS: usize = 8;

/// The resources that a process has used since its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Start in seconds since 1970: tells a process from another that had its pid.
    pub start_time: u64,
    /// CPU time.
    pub cpu_milliseconds: u64,
    /// Resident memory.
    pub bytes: u64,
}

/// A reader of the resources of processes. Shared by many meters, because a new one first reads
/// much of the machine.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Vec<System>>);

impl Sampler {
    /// Reads the resources of these processes, as far as they live. Blocks for three files of each,
    /// 10 microseconds apiece, and for other callers.
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

/// Refreshes these processes in `system`, and removes those that are gone.
fn refresh(system: &mut System, wanted: impl Iterator<Item = Pid>) {
    // Those of the last refresh are named as well, which removes the ones that are gone. Each is
    // named once: one named twice is taken for gone.
    let named: BTreeSet<Pid> = system.processes().keys().copied().chain(wanted).collect();
    let named: Vec<Pid> = named.into_iter().collect();
    let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    // It returns only the number found, which can be counted.
    let _found = system.refresh_processes_specifics(ProcessesToUpdate::Some(&named), true, what);
}

fn pid_of(number: i32) -> Pid {
    Pid::from_u32(number.cast_unsigned())
}

/// Applies `work` to each part, on several threads, and returns the results in any order. Blocks
/// until all is done; the calling thread takes part, and does everything if no other can be
/// started.
///
/// What it gains shows in docs/BENCHMARKS.md, row "a sample of 1,000 trees".
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
            // If it cannot be started, the others do its part.
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
    fn every_part_is_processed_once() {
        for count in [0, 1, 5, 1000] {
            let mut done = parallel_map((0..count).collect::<Vec<i32>>().into_iter(), |part| part);
            done.sort_unstable();
            assert_eq!(done, (0..count).collect::<Vec<i32>>());
        }
    }
}
