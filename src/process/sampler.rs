//! What processes have cost so far, as sysinfo reads it.

use super::division::{DIVIDED_FROM, parallel_map};
use super::procfs::Seen;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

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
    pub(super) fn look_at<'a>(&self, seen: impl Iterator<Item = &'a Seen>) -> HashMap<i32, Cost> {
        let wanted: BTreeSet<Pid> = seen.map(|seen| pid_of(seen.number)).collect();
        let mut systems = self.0.lock();
        let parts = if wanted.len() < DIVIDED_FROM { 1 } else { PARTS };
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
