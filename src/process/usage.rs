//! CPU time and memory of whole trees.

use super::procfs::ProcessInfo;
use super::reaper::Reaper;
use super::sampler::{Cost, Sampler};
use super::tree::{Tree, group_by_tree};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shortest time between two samples: an earlier caller gets the last one.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// CPU and memory of a tree at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU use, 100 for each busy core, since the last sample (the first time: since the start).
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub memory_mb: f64,
    /// Number of threads.
    pub threads: u32,
}

/// A meter that samples one run's usage at most once a second, for all callers.
#[derive(Debug)]
pub struct UsageMeter(Mutex<(Baseline, Option<Usage>)>);

impl UsageMeter {
    /// Creates a meter for a run that starts now.
    #[must_use]
    pub fn new(sampler: Arc<Sampler>) -> Self {
        Self(Mutex::new((Baseline::new(sampler), None)))
    }

    /// Returns the usage of `tree`: the last sample if it is under a second old, else a new one.
    /// Blocks for the sample only, about 20 microseconds a process.
    #[must_use]
    pub fn sample(&self, tree: &Tree, reaper: &Reaper) -> Usage {
        let (baseline, last) = &mut *self.0.lock();
        match *last {
            Some(usage) if baseline.is_fresh() => usage,
            _ => {
                let usage = baseline.resample(&[tree.members(reaper)]).pop().unwrap_or_default();
                *last = Some(usage);
                usage
            }
        }
    }
}

/// A meter that samples the usage of many runs together, at most once a second, for all callers. A
/// run that began after the last sample is sampled separately, once.
#[derive(Debug)]
pub struct BatchUsageMeter(Mutex<(Baseline, BatchUsage)>);

/// The usage of many runs, by the pid of each leader.
pub type BatchUsage = Arc<HashMap<i32, Usage>>;

impl BatchUsageMeter {
    /// Creates a meter for runs that start from now on.
    #[must_use]
    pub fn new(sampler: Arc<Sampler>) -> Self {
        Self(Mutex::new((Baseline::new(sampler), BatchUsage::default())))
    }

    /// Returns the usage of each of `trees`: the last sample if it is under a second old, else a
    /// new one. Blocks for one scan of /proc, about 20 microseconds a process.
    #[must_use]
    pub fn sample(&self, trees: &[Tree], reaper: &Reaper) -> BatchUsage {
        let (baseline, last) = &mut *self.0.lock();
        if !baseline.is_fresh() {
            let usages = baseline.resample(&group_by_tree(trees, reaper));
            *last = Arc::new(trees.iter().map(Tree::leader_pid).zip(usages).collect());
            return Arc::clone(last);
        }
        // A run that began after the last sample would be reported as idle. The others keep theirs:
        // the time since is too short to measure.
        let is_new = |tree: &&Tree| !last.contains_key(&tree.leader_pid());
        let new_trees: Vec<Tree> = trees.iter().filter(is_new).cloned().collect();
        if !new_trees.is_empty() {
            let usages = baseline.sample_new(&group_by_tree(&new_trees, reaper));
            let new_trees = new_trees.iter().map(Tree::leader_pid).zip(usages);
            Arc::make_mut(last).extend(new_trees);
        }
        Arc::clone(last)
    }
}

/// The baseline of the next sample.
#[derive(Debug)]
struct Baseline {
    sampler: Arc<Sampler>,
    at: Instant,
    /// CPU time by pid and start time, so that a reused pid does not inherit one.
    cpu_milliseconds: HashMap<(i32, u64), u64>,
    is_first: bool,
}

impl Baseline {
    fn new(sampler: Arc<Sampler>) -> Self {
        Self { sampler, at: Instant::now(), cpu_milliseconds: HashMap::new(), is_first: true }
    }

    fn is_fresh(&self) -> bool {
        !self.is_first && self.at.elapsed() < SAMPLE_INTERVAL
    }

    /// Returns the usage of each of these groups of processes since the last sample, and makes this
    /// one the baseline.
    fn resample(&mut self, groups: &[Vec<ProcessInfo>]) -> Vec<Usage> {
        let costs = self.sampler.read_costs(numbers_of(groups));
        let usages = self.usages(groups, &costs);
        let spent =
            |(number, cost): (&i32, &Cost)| ((*number, cost.start_time), cost.cpu_milliseconds);
        self.cpu_milliseconds = costs.iter().map(spent).collect();
        (self.at, self.is_first) = (Instant::now(), false);
        usages
    }

    /// Returns the usage of each of these groups of processes, which began after the last sample.
    /// The baseline stays.
    fn sample_new(&self, groups: &[Vec<ProcessInfo>]) -> Vec<Usage> {
        self.usages(groups, &self.sampler.read_costs(numbers_of(groups)))
    }

    fn usages(&self, groups: &[Vec<ProcessInfo>], costs: &HashMap<i32, Cost>) -> Vec<Usage> {
        let elapsed_milliseconds = (self.at.elapsed().as_secs_f64() * 1000.0).max(1.0);
        let usages = groups.iter().map(|group| {
            let (mut bytes, mut spent) = (0, 0);
            for (number, cost) in
                group.iter().filter_map(|process| costs.get_key_value(&process.number))
            {
                let before = self.cpu_milliseconds.get(&(*number, cost.start_time));
                spent += cost.cpu_milliseconds.saturating_sub(before.copied().unwrap_or(0));
                bytes += cost.bytes;
            }
            Usage {
                cpu_percent: round_to_tenth(spent as f64 * 100.0 / elapsed_milliseconds),
                memory_mb: round_to_tenth(bytes as f64 / 1_048_576.0),
                threads: group.iter().map(|process| process.threads).sum(),
            }
        });
        usages.collect()
    }
}

fn numbers_of(groups: &[Vec<ProcessInfo>]) -> impl Iterator<Item = i32> {
    groups.iter().flatten().map(|process| process.number)
}

fn round_to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::super::tests::{launch_of, reaper};
    use super::super::{CommandLine, Descriptors, Orphans, Signal};
    use super::*;
    use std::fs::File;
    use std::io::Read;

    /// Returns the tree of a command that has printed something, and the descriptors that keep its
    /// output open.
    fn run(text: &str) -> (Tree, Descriptors) {
        let launch = launch_of(CommandLine::Shell(text.to_owned()));
        let launched = reaper().launch(launch, &|| false).unwrap();
        let mut output = File::from(launched.descriptors.output.try_clone().unwrap());
        output.read_exact(&mut [0]).unwrap();
        let leader = Arc::new(launched.leader);
        let id = format!("usage-{}", leader.pid());
        (Tree::new(leader, &id, Orphans::Attributed, None), launched.descriptors)
    }

    #[test]
    fn new_run_is_sampled_at_once() {
        let text = "echo; sleep 60 & wait";
        let (meter, (old, _output)) = (BatchUsageMeter::new(Arc::default()), run(text));
        let before = meter.sample(std::slice::from_ref(&old), reaper());
        let (new, _output) = run(text);
        let trees = [old, new];
        let usage = meter.sample(&trees, reaper());
        for tree in &trees {
            tree.signal(reaper(), Signal::KILL);
        }
        let [old, new] = trees.map(|tree| tree.leader_pid());
        assert_eq!(usage[&old], before[&old], "it is under a second old");
        assert!(usage[&new].memory_mb > 0.0 && usage[&new].threads > 0, "{usage:?}");
    }

    #[test]
    fn samples_include_all_of_many_processes() {
        let text = "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i + 1)); done; echo; wait";
        let (tree, _output) = run(text);
        let trees = [tree];
        let members = group_by_tree(&trees, reaper()).concat();
        let costs = Sampler::default().read_costs(members.iter().map(|member| member.number));
        trees[0].signal(reaper(), Signal::KILL);
        assert_eq!((members.len(), costs.len()), (201, 201));
        assert!(members.iter().all(|member| costs[&member.number].bytes > 0), "{costs:?}");
    }
}
