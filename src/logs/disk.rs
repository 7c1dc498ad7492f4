//! Detection of a stalled disk: who waits for it, and since when.

use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Duration of an operation after which the disk is considered stalled. A frozen file system or an
/// unreachable server stalls as long as that lasts.
pub const STALL: Duration = Duration::from_millis(250);

/// The operations of all threads on the disk of a log directory. If one does not return, its thread
/// is lost until it does; the others check here first, and go on without.
#[derive(Debug, Default)]
pub struct DiskMonitor {
    operations: Mutex<Operations>,
}

#[derive(Debug, Default)]
struct Operations {
    next: u64,
    /// Operations in progress: a handful at most.
    begun: Vec<(u64, Instant)>,
}

/// An operation on the disk, until it is dropped.
#[derive(Debug)]
pub struct Operation<'a> {
    monitor: &'a DiskMonitor,
    number: u64,
}

impl DiskMonitor {
    /// Records that this thread may have to wait for the disk from now on.
    pub fn begin(&self) -> Operation<'_> {
        let mut operations = self.operations();
        let number = operations.next;
        operations.next += 1;
        operations.begun.push((number, Instant::now()));
        drop(operations);
        Operation { monitor: self, number }
    }

    /// Whether an operation has waited so long that others had better not begin.
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
    fn disk_is_stalled_during_a_long_operation() {
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
