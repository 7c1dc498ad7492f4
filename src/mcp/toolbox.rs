//! The tools of a mode.

use super::service_tools::SERVICE_TOOLS;
use super::shell_tools::SHELL_TOOLS;
use super::tool::Tool;
use crate::ops::{Services, Shell};
use std::sync::Arc;

/// The tools of one mode, with the operations they use.
#[derive(Debug)]
pub struct Toolbox<O: 'static> {
    pub(super) tools: &'static [Tool<O>],
    pub(super) instructions: &'static str,
    pub(super) ops: Arc<O>,
}

impl Toolbox<Shell> {
    /// Creates the tools that run commands.
    #[must_use]
    pub fn shell(ops: Arc<Shell>) -> Self {
        let instructions = "Runs one shell command at a time, each with its whole process tree, \
                            and keeps every line it prints. Start with start_command; each result \
                            begins with a line of state and ends with what to call next. Only \
                            `exited, exit code 0` is success. Nothing (directory, environment) \
                            carries over from one command to the next.";
        Self { tools: SHELL_TOOLS, instructions, ops }
    }
}

impl Toolbox<Services> {
    /// Creates the tools that control services.
    #[must_use]
    pub fn services(ops: Arc<Services>) -> Self {
        let instructions = "Supervises the services of a file: starts them in dependency order, \
                            restarts those that crash, checks their health. Begin with \
                            list_services; read service_logs before you restart a service that \
                            crashed.";
        Self { tools: SERVICE_TOOLS, instructions, ops }
    }
}
