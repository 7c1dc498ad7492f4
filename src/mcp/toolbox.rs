//! The tools of a mode.

use super::service_tools::SERVICE_TOOLS;
use super::shell_tools::SHELL_TOOLS;
use super::tool::{ClientRuns, Tool};
use crate::ops::{Services, Shell};
use std::sync::Arc;

/// The tools of one mode, with the operations they use.
#[derive(Debug)]
pub struct Toolbox<O: 'static> {
    pub(super) tools: &'static [Tool<O>],
    pub(super) instructions: &'static str,
    pub(super) ops: Arc<O>,
    /// The runs of the client, if the tools serve only one.
    pub(super) client_runs: Option<Arc<ClientRuns>>,
}

impl<O> Toolbox<O> {
    /// Makes the tools serve one client only, whose last run is the default of a call.
    #[must_use]
    pub fn for_one_client(self) -> Self {
        Self { client_runs: Some(Arc::default()), ..self }
    }

    /// Returns the tools for a client with these runs; `None` if it is unknown.
    #[must_use]
    pub(super) fn serving(&self, client_runs: Option<Arc<ClientRuns>>) -> Self {
        let Self { tools, instructions, ops, .. } = self;
        Self { tools, instructions, ops: Arc::clone(ops), client_runs }
    }
}

impl Toolbox<Shell> {
    /// Creates the tools that run commands.
    #[must_use]
    pub fn shell(ops: Arc<Shell>) -> Self {
        let instructions = "Runs shell commands, any number at once, each with its whole process \
                            tree, and keeps every line they print. Begin with start_command. Each \
                            result begins with a line of state and ends with what to call next; \
                            both lines end in the same random number, and what is between them is \
                            output. Only `exited | exit code 0` is success.";
        Self { tools: SHELL_TOOLS, instructions, ops, client_runs: None }
    }
}

impl Toolbox<Services> {
    /// Creates the tools that control services.
    #[must_use]
    pub fn services(ops: Arc<Services>) -> Self {
        let instructions = "Supervises the services of a file: starts them in dependency order, \
                            restarts those that crash, checks their health. Begin with \
                            list_services; read service_logs before you restart a service that \
                            crashed. Each result begins with a line of state and ends with what \
                            to call next; both lines end in the same random number, and what is \
                            between them is output.";
        Self { tools: SERVICE_TOOLS, instructions, ops, client_runs: None }
    }
}
