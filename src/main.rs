//! Parse, run, exit code.

use llm_shell::app::{self, StartFault};
use llm_shell::settings::{Task, command_line};
use std::process::ExitCode;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        // Each fault of a file is a line of its own, which begins with the file's name.
        Err(StartFault::File(faults)) => {
            eprintln!("{faults}");
            ExitCode::from(2)
        }
        Err(fault) => {
            eprintln!("llm-shell: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn start() -> Result<(), StartFault> {
    let flags = command_line().get_matches();
    match Task::of(&flags) {
        Task::Serve => {
            let startup = app::start_up(&flags)?;
            let listener = app::listen(&startup.settings)?;
            Ok(app::run(startup, listener)?)
        }
        Task::Check { file } => app::check(&file),
        Task::Schema => app::print_schema(),
    }
}
