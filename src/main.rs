//! Parse, run, exit code.

use llm_shell::app::{self, StartFault};
use std::process::ExitCode;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("llm-shell: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn start() -> Result<(), StartFault> {
    let startup = app::start_up()?;
    let listener = app::listen(&startup.settings)?;
    Ok(app::run(startup, listener)?)
}
