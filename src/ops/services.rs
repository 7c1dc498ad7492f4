//! Operations on the services of Astra.

use super::client::Client;
use super::error::{Error, Result};
use super::log_page;
use super::log_query::LogQuery;
use super::run_source::RunSource;
use super::service_source::ServiceSource;
use super::source::{Named, Source};
use super::waits;
use crate::permits::{Permit, Permits};
use crate::process::Signal;
use crate::protocol::{
    BulkOperation, BulkRequest, BulkResponse, BulkStatus, OperationStatus, ReloadKind,
    ReloadRequest, ServiceHealth, ServiceLogs, ServiceRequest, ServiceStatus, StopRequest,
    SupervisorHealth, SupervisorStatus, SystemStatus, VerbResponse, VerbStatus,
};
use crate::runs;
use crate::runs::EndsInput;
use crate::supervisor::{Ask, Bulk, ServiceOrigin, Supervisor, Verb};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The operations on the services of Astra, for the clients of one server.
#[derive(Debug)]
pub struct Services {
    supervisor: Arc<Supervisor>,
    /// Permits of requests that wait or stream as long as the client wants.
    streams: Permits,
    started_at: Instant,
}

impl Services {
    /// Creates the operations on a supervisor's services; at most `streams_max` requests wait or
    /// stream at once.
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>, streams_max: usize) -> Self {
        let (streams, started_at) = (Permits::of_streams(streams_max), Instant::now());
        Self { supervisor, streams, started_at }
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
    /// Errors of `Supervisor::ask`; `Restricted`; `TooManyRequests`.
    pub fn start(
        &self,
        client: &dyn Client,
        ServiceRequest { name, config }: ServiceRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        if config.is_some() {
            require_unrestricted(client, "choose a service's configuration")?;
        }
        let ask = Ask { verb: Verb::Start, service: name, overrides: config };
        self.act(client, &ask, VerbStatus::Starting, wait)
    }

    /// Stops a service. With `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::ask`; `Restricted`; `TooManyRequests`.
    pub fn stop(
        &self,
        client: &dyn Client,
        StopRequest { name }: StopRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        let ask = Ask { verb: Verb::Stop, service: name, overrides: None };
        self.act(client, &ask, VerbStatus::Stopping, wait)
    }

    /// Restarts a service. With `wait`, blocks until it has settled.
    ///
    /// # Errors
    /// Errors of `Supervisor::ask`; `Restricted`; `TooManyRequests`.
    pub fn restart(
        &self,
        client: &dyn Client,
        ServiceRequest { name, config }: ServiceRequest,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        if config.is_some() {
            require_unrestricted(client, "choose a service's configuration")?;
        }
        let ask = Ask { verb: Verb::Restart, service: name, overrides: config };
        self.act(client, &ask, VerbStatus::Restarting, wait)
    }

    fn act(
        &self,
        client: &dyn Client,
        ask: &Ask,
        status: VerbStatus,
        wait: Option<Duration>,
    ) -> Result<VerbResponse> {
        self.check_may_act(client, &ask.service)?;
        let _permit = wait.map(|_| self.streams.take()).transpose()?;
        let name = ask.service.clone();
        let message = self.supervisor.ask(ask)?;
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
    /// Errors of `Supervisor::reload` and `Supervisor::ask`; `TooManyRequests`.
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
            let ask = Ask { verb: Verb::Restart, service: name, overrides: None };
            return self.act(client, &ask, VerbStatus::Reloading, wait);
        }
        if let Some(name) = &name {
            self.check_may_act(client, name)?;
        }
        let _permit = wait.map(|_| self.streams.take()).transpose()?;
        let reloaded = self.supervisor.reload(name.as_deref())?;
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
        let (operations, done) = bulk.begin(&self.supervisor)?;
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
    /// `NoSuchService`; `TooManyRequests`.
    pub fn check(&self, name: &str) -> Result<ServiceHealth> {
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
        let service = self.supervisor.signal(name, signal)?;
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

    /// Writes to a service's terminal. Blocks up to 5 s while the program does not read; returns
    /// how many bytes it took. The permit is that of [`Self::begin_write`].
    ///
    /// # Errors
    /// `NoSuchService`, `ServiceInput`.
    pub fn write_stdin(
        &self,
        _: &Permit,
        name: &str,
        data: &[u8],
        ends: EndsInput,
    ) -> Result<usize> {
        let service = self.supervisor.find(name)?;
        service.manager().write_stdin(data, ends).map_err(|error| match error {
            runs::Error::NeverStarted
            | runs::Error::NotRunning { .. }
            | runs::Error::StdinNotOpen { .. } => {
                Error::ServiceInput { name: service.name().to_owned() }
            }
            other => other.into(),
        })
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

fn require_unrestricted(client: &dyn Client, what: &'static str) -> Result<()> {
    if client.is_restricted() { Err(Error::Restricted { what }) } else { Ok(()) }
}
