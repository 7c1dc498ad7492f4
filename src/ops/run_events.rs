//! Events of runs, and the prompts that they leave open.

use crate::event_log::{Entry, EventBatch};
use crate::logs::{OutputWatcher, format_instant, now};
use crate::protocol::{RunEventBody, RunStatus};
use crate::runs::{End, RunChange, RunSet};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The silence after an unfinished line that makes it a prompt.
const PROMPT_SILENCE: Duration = Duration::from_millis(100);

impl From<&Entry<RunChange>> for RunEventBody {
    fn from(entry: &Entry<RunChange>) -> Self {
        let RunChange { run_id, name, command, pid, end } = &entry.event;
        let end = end.as_ref();
        Self {
            run_id: run_id.clone(),
            name: name.clone(),
            command: command.clone(),
            process_pid: *pid,
            at: format_instant(entry.at),
            status: end.map_or(RunStatus::Running, End::status),
            exit_code: end.and_then(|end| end.outcome.exit_code()),
            signal: end.and_then(|end| end.outcome.signal()),
            ended_by: end.map(|end| end.by),
            prompt: None,
            after: None,
        }
    }
}

/// The prompts of live runs, as one client knows them.
pub struct OpenPrompts {
    _watcher: OutputWatcher,
    /// The prompt that was reported last, with the number of lines before it, by run id.
    reported: HashMap<String, (u64, String)>,
    /// Number of wake-ups of the event log that were seen.
    wakes: u64,
    /// The time of the next look, if something was printed since the last.
    look_at: Option<Instant>,
}

impl OpenPrompts {
    /// Starts to watch the prompts of these runs.
    #[must_use]
    pub fn of(runs: &RunSet) -> Self {
        let watcher = runs.folder().watch_output();
        let look_at = Some(Instant::now());
        Self { _watcher: watcher, reported: HashMap::new(), wakes: 0, look_at }
    }

    /// Waits for an event after `after`, for the time of the next look, or until `deadline`.
    pub fn wait(&mut self, runs: &RunSet, after: u64, deadline: Instant) -> EventBatch<RunChange> {
        let log = runs.events().log();
        if let Some(look_at) = self.look_at {
            // Output that comes meanwhile is seen then.
            return log.wait_after(after, deadline.min(look_at));
        }
        let wakes = self.wakes;
        let batch = log.wait_after_or_wake(after, &mut self.wakes, deadline);
        if self.wakes != wakes {
            self.look_at = Some(Instant::now() + PROMPT_SILENCE);
        }
        batch
    }

    /// Returns the prompts that are new since the last look, if that is due.
    pub fn new_ones(&mut self, runs: &RunSet) -> Vec<RunEventBody> {
        let now_at = Instant::now();
        if self.look_at.is_none_or(|look_at| look_at > now_at) {
            return Vec::new();
        }
        self.look_at = None;
        let (mut prompts, live) = (Vec::new(), runs.live());
        self.reported.retain(|run_id, _| live.iter().any(|run| run.id() == run_id));
        for run in live {
            let snapshot = run.log().snapshot();
            if snapshot.prompt.is_empty() {
                self.reported.remove(run.id());
                continue;
            }
            let silence = snapshot.idle.unwrap_or_default();
            if silence < PROMPT_SILENCE {
                // It may go on: looked at again when it has been silent for long enough.
                let look_at = now_at + PROMPT_SILENCE.saturating_sub(silence);
                self.look_at = Some(self.look_at.map_or(look_at, |other| other.min(look_at)));
                continue;
            }
            let prompt = (snapshot.lines, snapshot.prompt);
            if self.reported.get(run.id()) == Some(&prompt) {
                continue;
            }
            self.reported.insert(run.id().to_owned(), prompt.clone());
            prompts.push(RunEventBody {
                run_id: run.id().to_owned(),
                name: run.name().map(str::to_owned),
                command: run.command().to_owned(),
                process_pid: run.pid(),
                at: format_instant(now()),
                status: RunStatus::Running,
                exit_code: None,
                signal: None,
                ended_by: None,
                prompt: Some(prompt.1),
                after: Some(prompt.0),
            });
        }
        prompts
    }
}
