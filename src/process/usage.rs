//! What a run costs: CPU and memory of its whole tree.

use super::reaper::Reaper;
use super::tree::Tree;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The shortest time between two samples: who asks earlier is given the last one.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// CPU and memory of a tree at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// 100 for each core that was busy since the sample before (the first time: since the start).
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub memory_mb: f64,
}

/// Samples one run's usage at most once a second, for all who ask.
#[derive(Debug)]
pub struct UsageMeter(Mutex<Reading>);

#[derive(Debug)]
struct Reading {
    at: Instant,
    /// Kept, because a new one reads /proc/cpuinfo first.
    system: Option<System>,
    /// CPU time by process and its start, so that a recycled number does not inherit one.
    cpu_milliseconds: HashMap<(Pid, u64), u64>,
    usage: Option<Usage>,
}

impl UsageMeter {
    /// A meter for a run that starts now.
    #[must_use]
    pub fn new() -> Self {
        let cpu_milliseconds = HashMap::new();
        let reading = Reading { at: Instant::now(), system: None, cpu_milliseconds, usage: None };
        Self(Mutex::new(reading))
    }

    /// The usage of `tree`: the last sample if it is under a second old, else a new one. Blocks
    /// for the sample only, about 20 microseconds a process.
    #[must_use]
    pub fn sample(&self, tree: &Tree, reaper: &Reaper) -> Usage {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reading.usage {
            Some(usage) if reading.at.elapsed() < SAMPLE_INTERVAL => usage,
            _ => reading.renew(&tree.numbers(reaper)),
        }
    }
}

impl Default for UsageMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    fn renew(&mut self, numbers: &[i32]) -> Usage {
        let pids: Vec<Pid> = numbers.iter().map(|n| Pid::from_u32(n.cast_unsigned())).collect();
        self.look_at(&pids);
        let processes = self.system.iter().flat_map(System::processes);
        let mut bytes = 0;
        let mut cpu_milliseconds = HashMap::new();
        for (pid, process) in processes {
            bytes += process.memory();
            let key = (*pid, process.start_time());
            cpu_milliseconds.insert(key, process.accumulated_cpu_time());
        }
        let before = |key| self.cpu_milliseconds.get(key).copied().unwrap_or(0);
        let spent: u64 =
            cpu_milliseconds.iter().map(|(key, now)| now.saturating_sub(before(key))).sum();
        let elapsed_milliseconds = (self.at.elapsed().as_secs_f64() * 1000.0).max(1.0);
        let usage = Usage {
            cpu_percent: round_to_tenth(spent as f64 * 100.0 / elapsed_milliseconds),
            memory_mb: round_to_tenth(bytes as f64 / 1_048_576.0),
        };
        (self.at, self.cpu_milliseconds, self.usage) =
            (Instant::now(), cpu_milliseconds, Some(usage));
        usage
    }

    /// Has the system hold just these processes, as they are now.
    fn look_at(&mut self, pids: &[Pid]) {
        if self.system.is_none() {
            self.system = System::new().ok();
        }
        let Some(system) = &mut self.system else { return };
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        // Those of the last look are named as well: the ones that are gone leave by that.
        let before: Vec<Pid> = system.processes().keys().copied().collect();
        let all = [&before, pids].concat();
        // How many were found is all that is given, and that is counted below.
        let _refreshed =
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&all), true, what);
    }
}

fn round_to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
