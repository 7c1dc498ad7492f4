//! Launch of a run, and giving it up if it hangs.

use super::config::Observer;
use super::error::Result;
use super::history::RunStart;
use super::process_manager::{Inner, ProcessManager};
use super::recording::RunEnd;
use super::run::{Run, RunView, Snapshot, new_run_id};
use super::session::{Session, SessionParts};
use super::spec::RunSpec;
use crate::error::SystemError;
use crate::logs::{Capture, Leader, ScreenSize, now};
use crate::process::{Control, Descriptors, Input, Launch, RunCgroup, Signal, Tree};
use parking_lot::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Time to wait for the end of a launch that was given up before doing so again: it may have begun
/// after that.
const GIVEN_UP_INTERVAL: Duration = Duration::from_millis(100);

impl ProcessManager {
    /// Gives up the launch in progress, if its file system hangs. Does not block; a launch that
    /// does not hang proceeds.
    pub fn give_up_launch(&self) {
        self.inner().is_launch_given_up.store(true, Ordering::SeqCst);
    }

    /// Waits until a launch in progress is done; one that takes longer than `within` is given up,
    /// in a forced shutdown at once.
    pub(super) fn wait_for_launch(&self, within: Duration) -> MutexGuard<'_, Inner> {
        let deadline = Instant::now() + within;
        let mut inner = self.inner();
        while inner.state.is_starting() {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = left.is_zero() || inner.state.is_forced();
            if is_over {
                inner.is_launch_given_up.store(true, Ordering::SeqCst);
            }
            let left = if is_over { GIVEN_UP_INTERVAL } else { left };
            self.changed.wait_for(&mut inner, left);
        }
        inner
    }

    /// Returns the flag by which a launch that begins now is given up.
    fn begin_launch(&self) -> Arc<AtomicBool> {
        let mut inner = self.inner();
        inner.is_launch_given_up = Arc::new(AtomicBool::new(inner.state.is_forced()));
        Arc::clone(&inner.is_launch_given_up)
    }

    /// Launches a run to replace the one before, as the state has begun.
    pub(super) fn launch(self: &Arc<Self>, spec: &RunSpec) -> Result<(Snapshot, RunView)> {
        let launched = self.new_run(spec);
        let (run, Descriptors { output, end, terminal }) = launched.inspect_err(|_| {
            self.inner().state.start_failed();
        })?;
        let run = Arc::new(run);
        let mut inner = self.inner();
        let old = inner.run.replace(Arc::clone(&run));
        inner.state.started();
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.transition_count.fetch_add(1, Ordering::SeqCst);
        drop(inner);
        if let Some(old) = old {
            self.old_logs.insert(&old.id, &old.log);
            // Those who wait for its lines go on with those of the new run.
            old.log.announce();
        }
        // Sampled by another meter, so that the first status is not answered with a sample of the
        // first millisecond; and before the writer has the run, so that it is reported as of its
        // start.
        let usage = self.config.metering.meter().map(|it| it.sample(&run.tree, &self.reaper));
        let snapshot = Snapshot::of(&run, None, usage.unwrap_or_default(), Vec::new());
        log::info!("run {} started, process {}", run.id, run.leader.pid());
        if let Some(timeout) = spec.timeout {
            self.end_after(&run, timeout);
        }
        let (manager, log) = (Arc::clone(self), Arc::clone(&run.log));
        let view = RunView { run: Arc::clone(&run), reaper: Arc::clone(&self.reaper) };
        let on_end = Arc::new(RunEnd::of(manager, run));
        if let Observer(Some(observer)) = &self.config.observer {
            observer.started(&view);
        }
        self.writer.capture(Capture { output, end, terminal, log, on_end });
        // After the capture, which it asks for what a command has printed.
        if let Some(session) = view.session()
            && let Err(error) = session.start()
        {
            log::error!("no thread for the session {}: {error}", view.id());
            // Nobody could use it. The signal fails only if it has ended.
            let _ended = view.tree().signal_leader(Signal::KILL);
        }
        // Last, so that neither the command nor whoever waits for the answer is delayed.
        self.folder.enforce_retention(view.run.log.file_name());
        Ok((snapshot, view))
    }

    fn new_run(&self, spec: &RunSpec) -> Result<(Run, Descriptors)> {
        let (created_at, id) = (now(), new_run_id());
        let directory = spec.directory_in(&self.config.directory);
        let environment = spec.environment_over(&self.config.environment, &id);
        let (command, control) = match spec.session {
            None => (spec.command.clone(), Control::None),
            Some(shell) => {
                shell.check(&spec.command, &environment)?;
                (shell.interactive(&spec.command), Control::Shell)
            }
        };
        let log = Arc::new(self.folder.new_log(created_at, self.lines_before())?);
        if let Input::Terminal(size) = spec.input {
            log.keep_raw(ScreenSize { rows: size.rows, cols: size.cols });
        }
        let begin = RunStart {
            at: created_at,
            command: &spec.command,
            directory: &directory,
            is_on_terminal: spec.input.is_terminal(),
            name: spec.name.as_deref(),
        };
        self.record_start(&id, begin, &log);
        let launching = self.config.orphans.launching(&id);
        let launched = self.group_for(&id, spec).and_then(|cgroup| {
            let launch = Launch {
                command,
                shell: self.config.shell.clone(),
                directory: directory.clone(),
                environment,
                input: spec.input,
                control,
                cgroup: cgroup.clone(),
                marks: self.folder.marks(&id),
            };
            let is_given_up = self.begin_launch();
            let launched = self.reaper.launch(launch, &|| is_given_up.load(Ordering::SeqCst));
            Ok((launched?, cgroup))
        });
        let (launched, cgroup) = launched.inspect_err(|_| {
            self.folder.discard(&log);
            self.folder.ledger().failed(&id);
        })?;
        let leader = Arc::new(launched.leader);
        let (pid, start_ticks) = (leader.pid(), leader.start_ticks());
        self.folder.ledger().launched(&id, Leader { pid, start_ticks });
        let orphans = self.config.orphans.clone();
        let tree = Tree::new(Arc::clone(&leader), &id, orphans, cgroup);
        // Its tree is known from here on.
        drop(launching);
        let stdin = launched.stdin.map(Arc::new);
        let session = launched.control.map(|control| {
            Session::new(SessionParts {
                control,
                leader: Arc::clone(&leader),
                tree: tree.clone(),
                reaper: Arc::clone(&self.reaper),
                log: Arc::clone(&log),
                writer: Arc::clone(&self.writer),
                stdin: stdin.clone(),
                cwd: directory.to_string_lossy().into_owned(),
            })
        });
        let run = Run {
            id,
            command: spec.command.to_string(),
            spec: spec.clone(),
            directory,
            created_at,
            began: Instant::now(),
            tree,
            leader,
            log,
            stdin,
            session,
            meter: self.config.metering.meter(),
            end: OnceLock::new(),
        };
        Ok((run, launched.descriptors))
    }

    /// Creates the control group of a new run, if the server may divide one.
    fn group_for(&self, run_id: &str, spec: &RunSpec) -> Result<Option<Arc<RunCgroup>>> {
        let Some(cgroups) = &self.config.cgroups else { return Ok(None) };
        let made = cgroups.make_for(run_id, &spec.limits);
        made.map(Some)
            .map_err(|error| SystemError::new("make a control group for the run", error).into())
    }
}
