//! The runs of the LLM Shell, and the usage of its foreground command, as text for Prometheus.

use super::metrics::cores;
use crate::protocol::{EndedBy, RunStatus};
use crate::runs::RunSet;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::atomic::AtomicU64;

/// The label of ended runs. There are as many values as causes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    ended_by: &'static str,
}

/// Registers the numbers of runs, and the metrics of the last foreground run, if there was one.
pub fn register(runs: &RunSet, all: &mut Registry) {
    let events = runs.events();
    all.register("runs", "Commands that were started", counted(events.starts()));
    let ends = Family::<EndLabel, Counter>::default();
    for (cause, count) in events.ends() {
        let label = EndLabel { ended_by: EndedBy::as_str(cause) };
        ends.get_or_create(&label).inc_by(count);
    }
    all.register("runs_ended", "Commands that have ended, by cause", ends);
    #[allow(clippy::cast_precision_loss, reason = "there are at most some thousand")]
    let live = runs.live().len() as f64;
    all.register("runs_live", "Commands that are running", gauge(live));
    let run = runs.foreground().status().ok();
    let is_running = run.as_ref().is_some_and(|run| run.status() == RunStatus::Running);
    let running = gauge(f64::from(u8::from(is_running)));
    all.register("run_up", "Whether a foreground command runs", running);
    if let Some(run) = run {
        let cpu = gauge(run.usage.cpu_percent / 100.0);
        all.register_with_unit("run_cpu", "Busy cores, of its whole tree", cores(), cpu);
        let (bytes, memory) = (Unit::Bytes, gauge(run.usage.memory_mb * 1_048_576.0));
        all.register_with_unit("run_memory", "Resident memory of its whole tree", bytes, memory);
        let threads = gauge(f64::from(run.usage.threads));
        all.register("run_threads", "Threads of its whole tree", threads);
        let (seconds, uptime) = (Unit::Seconds, gauge(run.uptime.as_secs_f64()));
        all.register_with_unit(
            "run_uptime",
            "Time from its start to its end, or until now",
            seconds,
            uptime,
        );
        all.register("run_log_lines", "Lines that it printed", counted(run.log.lines));
        let dropped = counted(run.log.dropped_lines);
        all.register("run_log_dropped_lines", "Lines that could not be written", dropped);
    }
}

fn gauge(value: f64) -> impl Metric {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    gauge
}

fn counted(count: u64) -> impl Metric {
    let counter: Counter = Counter::default();
    counter.inc_by(count);
    counter
}
