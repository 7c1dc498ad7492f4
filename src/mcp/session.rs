//! Commands in sessions, for the tool `start_command`.

use super::error::ToolError;
use super::runs::{lines, until_question};
use super::shell_arguments::StartCommand;
use super::tool::{Context, ToolResult};
use crate::logs::Range;
use crate::ops::text_report::{self, Reader};
use crate::ops::{ExecSource, Place, Shell, Until, Which};
use crate::protocol::{ExecRequest, RunRequest};
use crate::runs::{self, FoundRun, RunView};
use serde_json::json;
use std::time::{Duration, Instant};

/// Runs a command in the live session of this name, or in a new one, and reports it.
pub fn run_in_session(
    context: &Context<'_, Shell>,
    session: &str,
    given: &StartCommand,
    (until, seconds): (Option<Until>, f64),
    bytes: u64,
) -> Result<ToolResult, ToolError> {
    if given.name.is_some() || given.timeout.is_some() {
        let why = "The arguments name and timeout are not for a session: omit them.";
        return Err(ToolError(why.to_owned()));
    }
    let run_id = live_session(context, session, given)?;
    context.set_last_run(&run_id);
    let request = ExecRequest {
        command: given.command.clone(),
        stdin: given.stdin || given.pty.is_terminal(),
        ..ExecRequest::default()
    };
    let began = Instant::now();
    let exec = context.ops.exec(context.client, &run_id, &request)?;
    let until = until.unwrap_or_else(|| until_question(request.stdin, began));
    let after = exec.after();
    report_exec(context, session, &exec, (&until, seconds), (after, bytes))
}

/// Waits for the last command of a session, and reports it, with its output after a line.
pub fn wait_in_session(
    context: &Context<'_, Shell>,
    run: &RunView,
    (until, seconds): (Option<Until>, f64),
    (after, bytes): (Option<u64>, u64),
) -> Result<ToolResult, ToolError> {
    let exec = context.ops.last_exec(run.id())?;
    let until = until.unwrap_or_else(|| until_question(true, Instant::now()));
    let after = after.unwrap_or_else(|| exec.after());
    let session = run.name().unwrap_or_else(|| run.id());
    report_exec(context, session, &exec, (&until, seconds), (after, bytes))
}

fn report_exec(
    context: &Context<'_, Shell>,
    session: &str,
    exec: &ExecSource,
    (until, seconds): (&Until, f64),
    (after, bytes): (u64, u64),
) -> Result<ToolResult, ToolError> {
    let run_id = exec.run_id();
    let query = lines(context, &run_id, Range::After(after), bytes)?;
    // The command is running, so a failed wait is not a failure of the call.
    let permit = context.ops.streams().take();
    let wait = permit.as_ref().ok().map(|_| (until, Duration::from_secs_f64(seconds)));
    let answer = exec.answer(context.client, wait, query)?;
    let mut notes: Vec<String> = permit.err().map(|error| error.to_string()).into_iter().collect();
    notes.extend(answer.output.matched_line.as_ref().map(|line| format!("matched: {line}")));
    let text = text_report::of_exec(session, &run_id, &answer, &notes, Reader::Tools);
    let state = if answer.running { "running" } else { "exited" };
    let mut data = json!({"run": run_id, "state": state, "next": answer.output.next});
    if let Some(code) = answer.exit_code {
        data["exit_code"] = code.into();
    }
    if let Some(prompt) = &answer.output.prompt {
        data["prompt"] = text_report::prompt_field(prompt).into();
    }
    Ok(ToolResult { text, data })
}

/// Returns the id of the live session of this name, which is started if there is none.
fn live_session(
    context: &Context<'_, Shell>,
    session: &str,
    given: &StartCommand,
) -> Result<String, ToolError> {
    match context.ops.find(Which::Run(session)) {
        Ok(FoundRun::Managed(found)) if found.run.end().is_none() => {
            let run_id = found.run.id().to_owned();
            if found.run.session().is_none() {
                return Err(runs::Error::NoSession { run_id }.into());
            }
            return Ok(run_id);
        }
        _ => {}
    }
    let request = RunRequest {
        session: true,
        name: Some(session.to_owned()),
        cwd: given.cwd.clone(),
        env: given.env.clone(),
        pty: given.pty,
        ..RunRequest::default()
    };
    let started = context.ops.start(context.client, &request, Place::Beside, false)?;
    Ok(started.run.id().to_owned())
}
