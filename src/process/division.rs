//! Work on many processes, divided among the processors.

use parking_lot::Mutex;
use std::thread;

/// From how many processes on work is divided: below that, starting a thread takes as long as it
/// saves.
pub(super) const DIVIDED_FROM: usize = 128;

/// How many processors are taken at most: what waits for a sample is not all that the machine does.
const WORKERS_MAX: usize = 4;

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
