//! Tests of sessions with the shells that are installed here, on pipes and on a terminal.

use super::*;
use crate::logs::{Filter, Keep, LogFolder, LogSeries, Page, Range, Selection};
use crate::process::tests::reaper;
use crate::process::{CommandLine, Input, Orphans, Sampler, Signal, TerminalSize};
use crate::runs::{
    End, EndsInput, ManagerConfig, Metering, Numbering, Observer, ProcessManager, RunSpec, RunView,
};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use tempfile::TempDir;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A session in a manager of its own. Nothing of it lives on after its drop.
struct Rig {
    name: String,
    _place: TempDir,
    writer: Arc<LogWriter>,
    manager: Arc<ProcessManager>,
    run: RunView,
}

/// A shell, its program, and whether it runs on a terminal.
type Variant = (SessionShell, PathBuf, bool);

/// Returns the variants that can be tested here: what `/bin/sh` is, bash, bash as sh, and busybox,
/// as far as they are installed.
fn variants() -> Vec<Variant> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        let all = std::env::split_paths(&path).map(|directory| directory.join(name));
        all.into_iter().find(|program| program.is_file())
    };
    let programs = [
        (SessionShell::Sh, Some(PathBuf::from("/bin/sh"))),
        (SessionShell::Bash, find("bash")),
        (SessionShell::Sh, find("bash")),
        (SessionShell::Sh, find("busybox")),
    ];
    let installed = programs.into_iter().filter_map(|(shell, program)| Some((shell, program?)));
    let on_both =
        |(shell, program): (_, PathBuf)| [false, true].map(|pty| (shell, program.clone(), pty));
    installed.flat_map(on_both).collect()
}

/// Calls `test` with a session of each variant, all at once.
fn for_each_shell(test: impl Fn(&Rig) + Sync) {
    std::thread::scope(|scope| {
        for variant in variants() {
            let test = &test;
            scope.spawn(move || test(&Rig::start(variant)));
        }
    });
}

impl Rig {
    fn start((shell, program, pty): Variant) -> Self {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join(shell.as_str());
        symlink(&program, &link).unwrap();
        let keep =
            Keep { runs_max: 10, bytes_max: 1 << 30, run_bytes_max: u64::MAX, records_max: 10 };
        let logs = place.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let folder = Arc::new(LogFolder::open(&logs, keep).unwrap());
        let config = ManagerConfig {
            shell: "/bin/sh".into(),
            environment: std::env::vars_os().collect(),
            directory: place.path().canonicalize().unwrap(),
            kill_grace: Duration::from_secs(5),
            cgroups: None,
            orphans: Orphans::Attributed,
            numbering: Numbering::PerRun,
            metering: Metering::Own(Arc::new(Sampler::default())),
            observer: Observer::default(),
        };
        let writer = Arc::new(LogWriter::start(65_536).unwrap());
        let manager = Arc::new(ProcessManager::new(
            config,
            folder,
            Arc::clone(&writer),
            Arc::clone(reaper()),
        ));
        let command = CommandLine::Arguments(vec![link.display().to_string()]);
        let input = if pty { Input::Terminal(TerminalSize::default()) } else { Input::Nothing };
        let spec = RunSpec { command, input, ..RunSpec::session(shell) };
        let (_, run) = manager.start_with_handle(&spec).unwrap();
        let name = format!("{} as {shell}, pty: {pty}", program.display());
        Self { name, _place: place, writer, manager, run }
    }

    fn session(&self) -> &Session {
        self.run.session().unwrap()
    }

    fn begin(&self, command: &str) -> Arc<Exec> {
        self.begin_with(command, false)
    }

    fn begin_with(&self, command: &str, stdin: bool) -> Arc<Exec> {
        let exec = self.session().exec(ExecRequest { command, stdin });
        exec.unwrap_or_else(|error| panic!("{}: {command}: {error}", self.name))
    }

    /// Waits for the end of a command; returns its state then.
    fn wait(&self, exec: &Exec, within: Duration) -> ExecState {
        self.run.log().wait_until(Instant::now() + within, |_| !exec.state().running);
        exec.state()
    }

    /// Waits for the end of a command; returns its exit code and its output.
    fn finish(&self, exec: &Exec) -> (Option<i32>, String) {
        let state = self.wait(exec, PATIENCE);
        assert!(!state.running, "{}: {state:?}: {}", self.name, self.output(state.after));
        (state.exit_code, self.output(state.after))
    }

    fn run(&self, command: &str) -> (Option<i32>, String) {
        self.finish(&self.begin(command))
    }

    /// Checks the exit code and the output of a command.
    fn check(&self, command: &str, code: i32, output: &str) {
        let expected = (Some(code), output.to_owned());
        assert_eq!(self.run(command), expected, "{}: {command}", self.name);
    }

    /// Returns the lines after this one, with a newline between two.
    fn output(&self, after: u64) -> String {
        let log = LogSeries::whole(vec![Arc::clone(self.run.log())]);
        let filter = Filter::new(None, false, None).unwrap();
        let selection = Selection { range: Range::After(after), before: None, limit: None, filter };
        let mut lines = Vec::new();
        let page = Page::select(&log, selection).unwrap();
        page.for_each(|_, text| {
            lines.push(text.to_owned());
            Ok(())
        })
        .unwrap();
        lines.join("\n")
    }

    /// Waits until the shell has ended and that is recorded.
    fn wait_for_end(&self) -> End {
        let deadline = Instant::now() + PATIENCE;
        self.run.log().wait_until(deadline, |log| log.is_over);
        self.run.end().unwrap_or_else(|| panic!("{}: no end", self.name))
    }

    /// Returns whether the session is on a terminal.
    fn is_on_terminal(&self) -> bool {
        self.run.stdin().is_some_and(Stdin::is_terminal)
    }

    /// Waits until the log has a line with this text.
    fn wait_for_line(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.output(0).contains(text) {
            assert!(Instant::now() < deadline, "{}: no {text}: {}", self.name, self.output(0));
            let seen = self.run.log().line_numbers().end;
            if !self.output(0).contains(text) {
                self.run.log().wait_until(deadline, |log| log.lines > seen);
            }
        }
    }

    fn write(&self, text: &str, ends: EndsInput) {
        assert_eq!(
            self.manager.write_stdin(text.as_bytes(), ends, None).unwrap().bytes,
            text.len()
        );
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // It has ended already in some tests, and left something behind in others.
        let _nothing_left = self.manager.kill(Signal::KILL, None);
        // The thread must not be the last to hold what it is joined by.
        self.writer.finish(PATIENCE);
        if !std::thread::panicking() {
            let is_gone = self.run.tree().is_gone(reaper());
            assert!(is_gone, "{}: {:?} live on", self.name, self.run.tree().pids(reaper()));
        }
    }
}

#[test]
fn exit_codes_are_exact() {
    for_each_shell(|rig| {
        rig.check("true", 0, "");
        rig.check("false", 1, "");
        rig.check("(exit 3)", 3, "");
        rig.check("sh -c 'exit 255'", 255, "");
        assert_eq!(rig.run("no-such-command-at-all").0, Some(127), "{}", rig.name);
        assert_eq!(rig.run("/etc").0, Some(126), "{}", rig.name);
        rig.check("sh -c 'kill -TERM $$' 2>/dev/null", 143, "");
        rig.check("sh -c 'kill -KILL $$' 2>/dev/null", 137, "");
        rig.check("return 4", 4, "");
        rig.check("# a comment", 0, "");
    });
}

#[test]
fn state_lasts_from_command_to_command() {
    for_each_shell(|rig| {
        rig.check("cd / && a=1 && export b=2", 0, "");
        assert_eq!(rig.session().cwd(), "/", "{}", rig.name);
        rig.check("f() { echo \"f $1\"; }\nalias al='echo aliased'", 0, "");
        rig.check("pwd; echo $a; sh -c 'echo $b'; f 3; al", 0, "/\n1\n2\nf 3\naliased");
        rig.check("umask 027; umask", 0, "0027");
        rig.check("umask", 0, "0027");
        rig.check("trap 'echo trapped' USR1; kill -USR1 $$", 0, "trapped");
        rig.check("kill -USR1 $$; :", 0, "trapped");
        rig.check("cd '/proc/self' && cd ../..; echo $?", 0, "0");
        let state = rig.session().last_exec().unwrap().state();
        assert_eq!((state.number, &*state.cwd), (8, "/"), "{}", rig.name);
    });
}

#[test]
fn failures_of_the_text_are_failures_of_its_command() {
    for_each_shell(|rig| {
        for text in ["if", "echo 'open", "echo )", "${", "echo ${unset_variable?message}"] {
            let (code, output) = rig.run(text);
            assert!(code.is_some_and(|code| code != 0), "{}: {text}: {code:?}", rig.name);
            assert!(!output.is_empty(), "{}: {text}", rig.name);
        }
        rig.check("set -u; echo ${unset_variable-none}", 0, "none");
        assert_ne!(rig.run("echo $unset_variable").0, Some(0), "{}", rig.name);
        rig.check("set +u; echo alive", 0, "alive");
    });
}

#[test]
fn output_belongs_to_its_command() {
    for_each_shell(|rig| {
        rig.check("printf 'no newline'", 0, "no newline");
        rig.check("echo out; echo err >&2", 0, "out\nerr");
        rig.check("cat <<END\na $((1 + 1))\nb\nEND", 0, "a 2\nb");
        rig.check("printf 'half'; sh -c 'printf more'", 0, "halfmore");
        rig.check("exec >/dev/null 2>&1; echo lost", 0, "");
        rig.check("echo seen", 0, "seen");
        rig.check("seq 20000 | tail -n 1", 0, "20000");
        let (code, output) = rig.run("seq 20000");
        assert_eq!((code, output.lines().count()), (Some(0), 20_000), "{}", rig.name);
        // A part of the shell's own: options that trace or print what it reads.
        rig.check("set -x", 0, "");
        let (code, output) = rig.run("echo traced");
        assert_eq!((code, output.lines().count()), (Some(0), 2), "{}: {output}", rig.name);
        assert!(output.ends_with("+ echo traced\ntraced"), "{}: {output}", rig.name);
        rig.run("set +x");
        rig.check("set -v", 0, "");
        assert!(rig.run("true\necho verbose").1.ends_with("verbose"), "{}", rig.name);
        rig.run("set +v");
        rig.check("echo end", 0, "end");
    });
}

#[test]
fn commands_inherit_no_descriptor_of_the_session() {
    for_each_shell(|rig| {
        let list = "for fd in /proc/self/fd/*; do echo ${fd##*/}; done";
        rig.check(&format!("sh -c '{list}' > list; grep -cx '[0-2]' list; cat"), 0, "3");
        let (_, output) = rig.run("ls -l /proc/self/fd");
        assert!(!output.contains("script"), "{}: {output}", rig.name);
        rig.check("exec 3<&- 4<&- 5<&- 6<&- 7<&-; exec 9</dev/null", 0, "");
        rig.check("echo on <&9", 0, "on");
    });
}

#[test]
fn commands_are_refused_while_one_runs_and_after_the_end() {
    for_each_shell(|rig| {
        let refused = |command| rig.session().exec(ExecRequest { command, stdin: false });
        assert!(matches!(refused("a\0b"), Err(Error::CommandHasNul)));
        assert!(matches!(refused(" \n"), Err(Error::CommandBlank)));
        let exec = rig.begin("read line < fifo; sleep 1000");
        assert!(matches!(refused("true"), Err(Error::SessionBusy { number: 1 })));
        assert!(exec.state().running);
        assert!(rig.session().interrupt());
        assert_ne!(rig.finish(&exec).0, Some(0), "{}", rig.name);
        rig.check("exit 3", 3, "");
        assert!(rig.session().last_exec().unwrap().state().has_ended_session, "{}", rig.name);
        assert!(matches!(refused("true"), Err(Error::SessionEnded { .. })), "{}", rig.name);
        assert_eq!(rig.wait_for_end().outcome, Outcome::Exited(3), "{}", rig.name);
        assert!(!rig.session().interrupt());
    });
}

#[test]
fn commands_that_end_the_shell_say_so() {
    for (text, code) in [
        ("exec true", Some(0)),
        ("exec sh -c 'echo last; exit 5'", Some(5)),
        ("kill -KILL $$", Some(137)),
        ("set -e; false; echo not reached", Some(1)),
        ("ulimit -n 5", Some(125)),
    ] {
        for_each_shell(|rig| {
            // A busybox without descriptors neither reports nor ends.
            if text.starts_with("ulimit") && rig.name.contains("busybox") {
                return;
            }
            rig.check("cd /", 0, "");
            assert_eq!(rig.run(text).0, code, "{}: {text}", rig.name);
            let state = rig.session().last_exec().unwrap().state();
            assert!(state.has_ended_session, "{}: {text}: {state:?}", rig.name);
            assert_eq!(state.cwd, "/");
            rig.wait_for_end();
        });
    }
}

#[test]
fn errexit_lasts_and_spares_our_own_lines() {
    for_each_shell(|rig| {
        rig.check("set -e", 0, "");
        rig.check("if false; then :; fi; echo $-", 0, &rig.run("echo $-").1);
        assert!(rig.run("echo $-").1.contains('e'), "{}", rig.name);
        rig.check("false || echo goes on", 0, "goes on");
        rig.check("set +e; false", 1, "");
        rig.check("echo alive", 0, "alive");
    });
}

#[test]
fn input_reaches_only_commands_that_ask_for_it() {
    for_each_shell(|rig| {
        rig.check("cat; echo end", 0, "end");
        if rig.is_on_terminal() {
            let exec = rig.begin_with("read line; echo \"got $line\"; tty", true);
            rig.write("typed\n", EndsInput::No);
            let (code, output) = rig.finish(&exec);
            assert_eq!(code, Some(0), "{}: {output}", rig.name);
            assert!(output.starts_with("typed\ngot typed\n/dev/pts/"), "{}: {output}", rig.name);
            let exec = rig.begin_with("cat", true);
            rig.write("more\n", EndsInput::Yes);
            assert_eq!(rig.finish(&exec), (Some(0), "more\nmore".to_owned()), "{}", rig.name);
            rig.check("stty size </dev/tty", 0, "24 80");
            return;
        }
        let closed = rig.manager.write_stdin(b"x", EndsInput::No, None);
        assert!(matches!(closed, Err(Error::StdinNotOpen { .. })), "{}", rig.name);
        for _ in 0..2 {
            let exec = rig.begin_with("cat", true);
            rig.write("one\n", EndsInput::No);
            rig.write("two\n", EndsInput::Yes);
            assert_eq!(rig.finish(&exec), (Some(0), "one\ntwo".to_owned()), "{}", rig.name);
        }
        let exec = rig.begin_with("read line; echo \"got $line\"", true);
        rig.write("first\nnot read\n", EndsInput::No);
        assert_eq!(rig.finish(&exec), (Some(0), "got first".to_owned()), "{}", rig.name);
        let exec = rig.begin_with("cat", true);
        rig.write("second\n", EndsInput::Yes);
        assert_eq!(rig.finish(&exec), (Some(0), "second".to_owned()), "{}", rig.name);
    });
}

#[test]
fn background_jobs_go_on_and_belong_to_the_session() {
    for_each_shell(|rig| {
        let (code, output) = rig.run("sleep 1000 & job=$!; echo $job");
        assert_eq!(code, Some(0), "{}", rig.name);
        let pid = output.trim().parse().unwrap_or_else(|_| panic!("{}: {output}", rig.name));
        rig.check("jobs >/dev/null; echo next", 0, "next");
        assert!(rig.run.tree().pids(reaper()).contains(&pid), "{}", rig.name);
        let (code, output) = rig.run("(sleep 0.1; echo late) & echo at once");
        assert_eq!((code, &*output), (Some(0), "at once"), "{}", rig.name);
        rig.wait_for_line("late");
        assert_eq!(rig.run("kill $job; wait $job").0, Some(143), "{}", rig.name);
    });
}

#[test]
fn interrupts_end_the_command_and_not_the_session() {
    for_each_shell(|rig| {
        for text in [
            "echo begun; sleep 1000",
            "echo begun; while :; do :; done",
            "echo begun; while :; do sleep 0.01; done; echo not reached",
            "sh -c 'sh -c \"echo begun; exec sleep 1000\"; :'; sleep 1000",
        ] {
            let exec = rig.begin(text);
            rig.run
                .log()
                .wait_until(Instant::now() + PATIENCE, |log| log.lines > exec.state().after);
            rig.manager.signal(Signal::INTERRUPT, None).unwrap();
            let expected = (Some(130), "begun".to_owned());
            let (code, output) = rig.finish(&exec);
            let output = output.lines().next().unwrap_or_default().to_owned();
            assert_eq!((code, output), expected, "{}: {text}", rig.name);
            rig.check("echo alive", 0, "alive");
        }
        if rig.is_on_terminal() {
            let exec = rig.begin("sh -c 'echo begun; exec sleep 1000'");
            rig.run
                .log()
                .wait_until(Instant::now() + PATIENCE, |log| log.lines > exec.state().after);
            rig.write("\x03", EndsInput::No);
            assert_eq!(rig.finish(&exec).0, Some(130), "{}", rig.name);
            // While it is idle, too.
            rig.write("\x03", EndsInput::No);
            assert_eq!(rig.run("true").0, Some(0), "{}", rig.name);
        }
        rig.check("trap 'echo caught' INT", 0, "");
        let exec = rig.begin("echo begun; sleep 0.5; echo after");
        rig.run.log().wait_until(Instant::now() + PATIENCE, |log| log.lines > exec.state().after);
        assert!(rig.session().interrupt());
        let (code, output) = rig.finish(&exec);
        assert!(output.contains("caught"), "{}: {code:?}: {output}", rig.name);
    });
}

#[test]
fn long_scripts_are_run() {
    for_each_shell(|rig| {
        let text = "x=$((x + 1))\n".repeat(1_000_000 / 13) + "echo $x";
        rig.check(&text, 0, &(1_000_000 / 13).to_string());
    });
}

#[test]
fn kill_ends_an_idle_session() {
    for_each_shell(|rig| {
        rig.check("sleep 1000 & sleep 0.05", 0, "");
        let began = Instant::now();
        let report = rig.manager.kill(Signal::TERM, None).unwrap();
        assert!(report.left.is_empty() && report.end.is_some(), "{}: {report:?}", rig.name);
        assert!(began.elapsed() < Duration::from_secs(4), "{}", rig.name);
    });
}

/// Numbers that look random: a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn no_interrupt_loses_a_command_or_the_session() {
    let texts = [
        "x=1; while [ $x -lt 400 ]; do x=$((x + 1)); done",
        "sleep 0.003",
        "true",
        "(sleep 0.002; true) | cat",
        "for i in 1 2 3; do sh -c :; done",
    ];
    for_each_shell(|rig| {
        // Its handler leaves whatever it interrupts, so that it may wait for its own lock for ever.
        if rig.name.contains("busybox") {
            return;
        }
        let mut random = Random(rig.name.len() as u64);
        for round in 0..60 {
            let text = texts[usize::try_from(random.below(5)).unwrap()];
            let exec = rig.begin(text);
            std::thread::sleep(Duration::from_micros(random.below(6000)));
            rig.session().interrupt();
            let state = rig.wait(&exec, Duration::from_secs(3));
            if state.running && rig.name.contains("bash") {
                // bash 5.2 sends itself SIGINT for ever, once in some thousand times: a kill ends
                // it, and the command with it.
                rig.manager.kill(Signal::TERM, None).unwrap();
                let state = rig.wait(&exec, PATIENCE);
                assert!(state.has_ended_session, "{}: {state:?}", rig.name);
                return;
            }
            let (code, output) = rig.finish(&exec);
            let is_known = matches!(code, Some(0 | 130));
            assert!(is_known, "{}: round {round}: {text}: {code:?}: {output}", rig.name);
        }
        rig.check("echo alive", 0, "alive");
    });
}
