//! The `llm-shell` program.

use llm_shell::app::{self, Ended, StartError};
use llm_shell::printable::printable;
use llm_shell::settings::{McpServer, Mode, Task, command_line};
use std::process::ExitCode;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        // Each error of a file is a line of its own, which begins with the file's name.
        Err(StartError::File(errors)) => {
            eprintln!("{}", printable(&errors.to_string()));
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("llm-shell: {}", printable(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}

fn start() -> Result<ExitCode, StartError> {
    app::close_memory()?;
    let flags = command_line().get_matches();
    match Task::of(&flags) {
        Task::Serve { idle_max } => {
            let startup = app::start_up(&flags, Mode::Shell, &app::SettingsFile::Dotenv)?;
            let listener = app::listen(&startup.settings)?;
            app::run(startup, listener, idle_max)?;
        }
        Task::Ctl { destination, command } => {
            let file = app::SettingsFile::of_flag(destination.env_file.clone());
            let startup = app::start_up(&flags, Mode::Shell, &file)?;
            let code = app::control(destination, &command, startup.settings)?;
            return Ok(ExitCode::from(code));
        }
        Task::Mcp { server, env_file } => {
            let file = app::SettingsFile::of_flag(env_file);
            let startup = app::start_up(&flags, Mode::Shell, &file)?;
            match server {
                McpServer::AtUrl(url) => app::bridge(&url, &startup.settings)?,
                McpServer::OfUser(idle_max) => app::detach(startup, idle_max)?,
                McpServer::OfSettings => match startup.settings.socket.clone() {
                    Some(socket) => app::bridge_to_socket(socket, &startup.settings)?,
                    None => app::run_inside(startup)?,
                },
            }
        }
        Task::Astra { config, exit_on_fatal } => {
            let startup = app::start_up(&flags, Mode::Astra, &app::SettingsFile::Dotenv)?;
            let file = app::read_services(&config, &startup)?;
            let listener = app::listen(&startup.settings)?;
            let services = app::Services { file: config, services: file.services, exit_on_fatal };
            if app::supervise(startup, listener, services)? == Ended::GivenUp {
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Check { file } => app::check(&file)?,
        Task::Token { name, scope } => app::print_token(&name, scope)?,
        Task::Schema => app::print_schema()?,
        Task::Export(options) => {
            for warning in app::export(&options)? {
                eprintln!("warning: {warning}");
            }
        }
        Task::Completions { shell } => app::print_completions(shell)?,
        Task::Man { command } => app::print_manual(&command)?,
    }
    Ok(ExitCode::SUCCESS)
}
