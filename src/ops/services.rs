//! Operations on the services of Astra.

use super::audit::{Audit, Audited, Change};
use super::client::{Client, require};
use super::error::{Error, Result};
use super::log_page;
use super::log_query::LogQuery;
use super::run_source::RunSource;
use super::service_detail::ServiceDetail;
use super::service_source::ServiceSource;
use super::source::{Named, Source};
use super::waits;
use crate::permits::{Permit, Permits};
use crate::probe::Check;
use crate::process::Signal;
use crate::protocol::{
    BulkOperation, BulkRequest, BulkResponse, BulkStatus, OperationStatus, ReloadKind,
    ReloadRequest, Scope, ServiceHealth, ServiceLogs, ServiceRequest, ServiceStatus, StopRequest,
    SupervisorHealth, SupervisorStatus, SystemStatus, VerbResponse, VerbStatus,
};
use crate::runs;
use crate::runs::EndsInput;
use crate::runs::Written;
use crate::supervisor::{self, Bulk, ServiceCommand, ServiceOrigin, Supervisor, Verb};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The operations on the services of Astra, for the clients of one server.
#[derive(Debug)]
pub struct Services {
    supervisor: Arc<Supervisor>,
    /// Permits of requests that wait or stream as long as the client wants.
    streams: Permits,
    audit: Audit,
    started_at: Instant,
}

impl Services {
    /// Creates the operations on a supervisor's services; at most `streams_max` requests wait or
    /// stream at once.
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>, streams_max: usize, audit: Audit) -> Self {
        let (streams, started_at) = (Permits::of_streams(streams_max), Instant::now());
        Self { supervisor, streams, audit, started_at }
    }

    /// Returns the permits of requests that wait or stream.
    #[must_use]
    pub fn streams(&self) -> &Permits {
        &self.streams
    }

    /// Returns the supervisor.
    #[must_use]
    pub fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// Returns the state of all services. Blocks for a sample of their usage at most.
    #[must_use]
    pub fn status(&self) -> SystemStatus {
        SystemStatus::of(&self.supervisor.services(), &self.supervisor.usage())
    }

    /// Returns the state of a service.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn one_status(&self, name: &str) -> Result<ServiceStatus> {
        let service = self.supervisor.find(name)?;
        Ok(ServiceStatus::of(&service, Some(&self.supervisor.usage())))
    }

    /// Starts a service. With `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::send`; `Restricted`; `TooManyRequests`.
    pub fn start(
        &self,
        client: &dyn Client,
        ServiceRequest { name, config }: ServiceRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        self.check_may_configure(client, "start", &name, config.as_ref())?;
        let command = ServiceCommand { verb: Verb::Start, service: name, overrides: config };
        self.act(client, "start", &command, VerbStatus::Starting, wait)
    }

    /// Adds a service, which stays until it is removed or the supervisor exits, and starts it. With
    /// `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// `ServiceExists`; errors of [`Self::start`].
    pub fn add(
        &self,
        client: &dyn Client,
        request: ServiceRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        if self.supervisor.find(&request.name).is_ok() {
            return Err(Error::ServiceExists { name: request.name });
        }
        self.start(client, request, wait)
    }

    /// Stops a service that a client has added, and removes it. Blocks until it is gone, at most
    /// for `wait`. Its log stays on disk.
    ///
    /// # Errors
    /// Errors of `Supervisor::remove`; `ServiceState` if it is still stopping after `wait`, and
    /// then it is removed later; `Restricted`; `TooManyRequests`.
    pub fn remove(&self, client: &dyn Client, name: &str, wait: Duration) -> Result<()> {
        require_unrestricted(client, "remove a service")?;
        let _permit = self.streams.take()?;
        let begun = self.supervisor.remove(name).map_err(Error::from);
        self.audit.record(client, &Change::of_service("remove", name, None), &begun);
        let service = begun?;
        if waits::wait(client, wait, |until| self.supervisor.wait_removed(&service, until)) {
            return Ok(());
        }
        let advice = "it is removed as soon as it is down: ask again to wait for it";
        let (name, state) = (name.to_owned(), service.state());
        Err(supervisor::Error::ServiceState { name, state, advice }.into())
    }

    /// Returns a service's configuration, with secrets masked, and how its last runs ended.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn detail(&self, name: &str) -> Result<ServiceDetail> {
        Ok(ServiceDetail::of(&*self.supervisor.find(name)?))
    }

    /// Stops a service. With `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::send`; `Restricted`; `TooManyRequests`.
    pub fn stop(
        &self,
        client: &dyn Client,
        StopRequest { name }: StopRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        let command = ServiceCommand { verb: Verb::Stop, service: name, overrides: None };
        self.act(client, "stop", &command, VerbStatus::Stopping, wait)
    }

    /// Restarts a service. With `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::send`; `Restricted`; `TooManyRequests`.
    pub fn restart(
        &self,
        client: &dyn Client,
        ServiceRequest { name, config }: ServiceRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        self.check_may_configure(client, "restart", &name, config.as_ref())?;
        let command = ServiceCommand { verb: Verb::Restart, service: name, overrides: config };
        self.act(client, "restart", &command, VerbStatus::Restarting, wait)
    }

    fn act(
        &self,
        client: &dyn Client,
        action: &'static str,
        command: &ServiceCommand,
        status: VerbStatus,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        self.check_may_act(client, &command.service)?;
        let _permit = wait.map(|_| self.streams.take()).transpose()?;
        let name = command.service.clone();
        let sent = self.supervisor.send(command).map_err(Error::from);
        let change = Change::of_service(action, &name, command.overrides.as_ref());
        self.audit.record(client, &change, &sent);
        let message = sent?;
        let mut response = VerbResponse { status, service: Some(name.clone()), message };
        if let Some(wait) = wait {
            self.wait_settled(client, std::slice::from_ref(&name), wait);
            if let Ok(service) = self.supervisor.find(&name) {
                let facts = service.snapshot();
                (response.status, response.message) = (facts.state.into(), facts.message);
            }
        }
        Ok(response)
    }

    /// Reads the services file again and applies it, or restarts a service with its present
    /// configuration. With `wait`, blocks until all services concerned have settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::reload` and `Supervisor::send`; `TooManyRequests`.
    pub fn reload(
        &self,
        client: &dyn Client,
        ReloadRequest { name, kind }: ReloadRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        if kind == ReloadKind::Code {
            let Some(name) = name else {
                return Err(Error::Invalid(
                    "A reload of type code restarts one service: give its name.".to_owned(),
                ));
            };
            let command = ServiceCommand { verb: Verb::Restart, service: name, overrides: None };
            return self.act(client, "reload_code", &command, VerbStatus::Reloading, wait);
        }
        if let Some(name) = &name {
            self.check_may_act(client, name)?;
        }
        let _permit = wait.map(|_| self.streams.take()).transpose()?;
        let reloaded = self.supervisor.reload(name.as_deref()).map_err(Error::from);
        let change = Change { service: name.as_deref(), ..Change::new("reload") };
        self.audit.record(client, &change, &reloaded);
        let reloaded = reloaded?;
        let (status, message) = (VerbStatus::Reloading, reloaded.message);
        let mut response = VerbResponse { status, service: name.clone(), message };
        if let Some(wait) = wait {
            let names: Vec<String> = reloaded.touched.into_iter().chain(name.clone()).collect();
            let is_settled = self.wait_settled(client, &names, wait);
            let state = name.and_then(|name| self.supervisor.find(&name).ok()).map(|it| it.state());
            response.status = match state {
                Some(state) => state.into(),
                None if is_settled => VerbStatus::Reloaded,
                None => VerbStatus::Reloading,
            };
        }
        Ok(response)
    }

    /// Applies one action to several services, in the order of their dependencies. With `wait`,
    /// blocks until all have settled.
    ///
    /// # Errors
    /// `TooManyRequests`; an error of a single service is in its operation.
    pub fn bulk(
        &self,
        client: &dyn Client,
        BulkRequest { action, services, parallel }: BulkRequest,
        wait: Option<Duration>,
    ) -> Result<BulkResponse> {
        services.iter().try_for_each(|name| self.check_may_act(client, name))?;
        let _permit = wait.map(|_| self.streams.take()).transpose()?;
        let bulk = Bulk { action, services, is_parallel: parallel };
        let begun = bulk.begin(&self.supervisor).map_err(Error::from);
        let outcomes = begun.iter().flat_map(|(operations, _)| operations).map(|it| {
            let outcome = it.outcome.as_ref().map_or_else(|e| e.kind().as_str(), |it| it.as_str());
            (&*it.service, outcome)
        });
        let services = Some(outcomes.collect());
        let change = Change { services, ..Change::new(action.as_str()) };
        self.audit.record(client, &change, &begun);
        let (operations, done) = begun?;
        let is_done = wait.is_some_and(|wait| waits::wait(client, wait, |until| done.wait(until)));
        let mut operations: Vec<_> = operations.into_iter().map(BulkOperation::from).collect();
        if wait.is_some() {
            for operation in operations.iter_mut().filter(|it| it.detail.is_none()) {
                if let Ok(service) = self.supervisor.find(&operation.service) {
                    operation.status = OperationStatus::Accepted(service.state().into());
                }
            }
        }
        for (service, error) in done.take_failures() {
            if let Some(operation) = operations.iter_mut().find(|it| it.service == service) {
                *operation = BulkOperation::failed(service, &error);
            }
        }
        let status = match is_done {
            false => BulkStatus::Processing,
            true if operations.iter().any(|it| it.status.has_failed()) => BulkStatus::Failed,
            true => BulkStatus::Completed,
        };
        Ok(BulkResponse { status, operations })
    }

    /// Refuses a client that may not override a service's configuration, if it does.
    fn check_may_configure(
        &self,
        client: &dyn Client,
        action: &'static str,
        name: &str,
        config: Option<&Value>,
    ) -> Result<()> {
        if config.is_none() {
            return Ok(());
        }
        let allowed = require_unrestricted(client, "choose a service's configuration")
            .and_then(|()| require(client, Scope::Run, "Overriding a service's configuration"));
        if allowed.is_err() {
            let change = Change::of_service(action, name, config);
            self.audit.record(client, &change, &allowed);
        }
        allowed
    }

    /// Refuses a restricted client that acts on a service that the file does not define.
    fn check_may_act(&self, client: &dyn Client, name: &str) -> Result<()> {
        let service = self.supervisor.find(name).ok();
        if service.is_some_and(|service| service.snapshot().origin == ServiceOrigin::Added) {
            return require_unrestricted(client, "act on a service that the file does not define");
        }
        Ok(())
    }

    /// Waits for services to settle. Returns whether they have.
    fn wait_settled(&self, client: &dyn Client, names: &[String], wait: Duration) -> bool {
        waits::wait(client, wait, |until| self.supervisor.wait_settled(names, until))
    }

    /// Runs the health checks of a service now. Blocks for the longest of their timeouts.
    ///
    /// # Errors
    /// `NoSuchService`; `TooManyRequests`; `MissingScope` if a check runs a command.
    pub fn check(&self, client: &dyn Client, name: &str) -> Result<ServiceHealth> {
        let config = self.supervisor.find(name)?.snapshot().config;
        if config.health_checks.iter().any(|(_, it)| matches!(it.check, Check::Command(_))) {
            require(client, Scope::Operate, "A health check that runs a command")?;
        }
        let _permit = self.streams.take()?;
        let report = self.supervisor.check(name)?;
        Ok(ServiceHealth::new(name.to_owned(), &report))
    }

    /// Returns the health of the supervisor.
    #[must_use]
    pub fn health(&self) -> SupervisorHealth {
        let unhealthy = self.supervisor.unhealthy();
        let is_healthy = unhealthy.is_empty();
        SupervisorHealth {
            status: if is_healthy { SupervisorStatus::Healthy } else { SupervisorStatus::Degraded },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.started_at.elapsed().as_secs(),
            services: unhealthy.into_iter().collect(),
        }
    }

    /// Sends a signal to a service's process tree. Does not wait for its effect.
    ///
    /// # Errors
    /// `NoSuchService`, `ServiceState`; `Restricted`.
    pub fn signal(&self, client: &dyn Client, name: &str, signal: Signal) -> Result<ServiceStatus> {
        require_unrestricted(client, "send a signal")?;
        let sent = self.supervisor.signal(name, signal).map_err(Error::from);
        let signal = Some(signal.to_string());
        let change = Change { service: Some(name), signal, ..Change::new("signal") };
        self.audit.record(client, &change, &sent);
        let service = sent?;
        Ok(ServiceStatus::of(&service, Some(&self.supervisor.usage())))
    }

    /// Takes the permit to write to a service, before the data is read.
    ///
    /// # Errors
    /// `NoSuchService`; `Restricted`; `TooManyRequests`.
    pub fn begin_write(&self, client: &dyn Client, name: &str) -> Result<Permit> {
        require_unrestricted(client, "write to a service")?;
        self.supervisor.find(name)?;
        Ok(self.streams.take()?)
    }

    /// Writes to a service's terminal. Blocks up to 5 s while the program does not read. The
    /// permit is that of [`Self::begin_write`].
    ///
    /// # Errors
    /// `NoSuchService`, `ServiceInput`.
    pub fn write_stdin(
        &self,
        client: &dyn Client,
        _: &Permit,
        name: &str,
        data: &[u8],
        ends: EndsInput,
    ) -> Result<Written> {
        let service = self.supervisor.find(name)?;
        let written: Result<Written> =
            service.manager().write_stdin(data, ends, None).map_err(|error| match error {
                runs::Error::NeverStarted
                | runs::Error::NotRunning { .. }
                | runs::Error::StdinNotOpen { .. } => {
                    Error::ServiceInput { name: service.name().to_owned() }
                }
                other => other.into(),
            });
        let bytes = Some(data.len());
        let change = Change { service: Some(name), bytes, ..Change::new("write_stdin") };
        self.audit.record(client, &change, &written);
        written
    }

    /// Returns the log of a service: of all of its runs, or of the one given.
    ///
    /// # Errors
    /// `NoSuchService`, `NoSuchServiceRun`, `LogGone`.
    pub fn log_of(&self, name: &str, run_id: Option<&str>) -> Result<Box<dyn Source>> {
        let service = self.supervisor.find(name)?;
        let Some(run_id) = run_id else { return Ok(Box::new(ServiceSource(service))) };
        let log = service.manager().log_of(run_id).map_err(|error| match error {
            runs::Error::NoSuchRun { run_id } => {
                Error::NoSuchServiceRun { name: service.name().to_owned(), run_id }
            }
            other => other.into(),
        })?;
        let name = Named::Service { name: service.name().to_owned() };
        let status = Box::new(move || ServiceStatus::of(&service, None).json());
        Ok(Box::new(RunSource { name, log, status }))
    }

    /// Returns lines of a service's log, after the wait of the query.
    ///
    /// # Errors
    /// Errors of [`Self::log_of`]; `Log` if it cannot be read; `TooManyRequests`.
    pub fn logs(
        &self,
        client: &dyn Client,
        name: &str,
        run_id: Option<&str>,
        query: LogQuery,
    ) -> Result<ServiceLogs> {
        let source = self.log_of(name, run_id)?;
        let (query, _permit) = log_page::begin_read(client, query, &*source, &self.streams)?;
        log_page::service_logs(&*source, &query)
    }
}

impl Audited for Services {
    fn audit(&self) -> &Audit {
        &self.audit
    }
}

fn require_unrestricted(client: &dyn Client, what: &'static str) -> Result<()> {
    if client.principal().is_restricted { Err(Error::Restricted { what }) } else { Ok(()) }
}
