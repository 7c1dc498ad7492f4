//! Whether the disk of the logs answers: who waits for it, and since when.

use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long something on a disk may take until the disk is said not to answer. A frozen file system
/// and a server that is away take as long as that lasts.
pub const STALL: Duration = Duration::from_millis(250);

/// What is being done on the disk of a log directory, by all threads. Where that does not come
/// back, the thread that waits for it is lost until it does; the others look here first, and go on.
#[derive(Debug, Default)]
pub struct DiskMonitor {
    operations: Mutex<Operations>,
}

#[derive(Debug, Default)]
struct Operations {
    next: u64,
    /// Those that are under way: a handful at most.
    begun: Vec<(u64, Instant)>,
}

/// Something that is being done, until it is ended or dropped.
#[derive(Debug)]
pub struct Operation<'a> {
    monitor: &'a DiskMonitor,
    number: u64,
}

impl DiskMonitor {
    /// Takes note that this thread may have to wait for the disk from now on.
    pub fn begin(&self) -> Operation<'_> {
        let mut operations = self.operations();
        let number = operations.next;
        operations.next += 1;
        operations.begun.push((number, Instant::now()));
        drop(operations);
        Operation { monitor: self, number }
    }

    /// Whether somebody has waited for the disk for long, so that it is better not to begin.
    pub fn is_stalled(&self) -> bool {
        self.operations().begun.iter().any(|(_, since)| since.elapsed() >= STALL)
    }

    fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock()
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        self.monitor.operations().begun.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_stalled_while_something_takes_long() {
        let monitor = DiskMonitor::default();
        let operation = monitor.begin();
        assert!(!monitor.is_stalled());
        std::thread::sleep(STALL);
        drop(monitor.begin());
        assert!(monitor.is_stalled());
        drop(operation);
        assert!(!monitor.is_stalled());
    }
}
