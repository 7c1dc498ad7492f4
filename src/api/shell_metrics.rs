//! Resource usage of the LLM Shell's command, as text for Prometheus.

use super::metrics::cores;
use crate::protocol::RunStatus;
use crate::runs::Snapshot;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::atomic::AtomicU64;

/// Registers the number of runs started, and the metrics of the last run, if there was one.
pub fn register(starts: u64, run: Option<&Snapshot>, all: &mut Registry) {
    all.register("runs", "Commands that were started", counted(starts));
    let is_running = run.is_some_and(|run| run.status() == RunStatus::Running);
    all.register("run_up", "Whether a command runs", gauge(f64::from(u8::from(is_running))));
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
