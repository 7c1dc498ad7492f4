//! The objects of one service.

use super::command::{argv, literal};
use super::context::FileContext;
use super::environment::Environment;
use super::fields::note_unsupported;
use super::kind::Kind;
use super::metadata::{Metadata, Pairs};
use super::notes::Notes;
use super::objects::{
    Deployment, Job, Object, Selector, Service as PortService, ServicePort, Spec, Strategy, labels,
};
use super::pod::{
    Container, ContainerPort, ContainerSecurity, Lifecycle, Os, PodSecurity, PodSpec, PodTemplate,
    Resources, Variable,
};
use super::probes::Probes;
use super::waits;
use crate::process::{CommandLine, ResourceLimits, Signal};
use crate::protocol::{Condition, RestartMode};
use crate::supervisor::{Masking, Service, ServiceConfig};
use std::collections::BTreeMap;
use std::path::Path;

/// The name of a container's port.
const PORT_NAME: &str = "main";

/// The default progress deadline of a Deployment, in seconds. It must be longer than a pod takes
/// to count as up.
const PROGRESS_SECONDS: u64 = 600;

/// One service, in the context of the others.
pub(super) struct Workload<'a> {
    /// The service.
    pub service: &'a Service,
    /// Its name in the cluster.
    pub name: &'a str,
    /// Whether it is started with the others.
    pub is_started: bool,
    /// The context of all services.
    pub context: &'a FileContext<'a>,
}

impl Workload<'_> {
    /// Creates the objects: a Secret for its secrets, a Service for its port, and a Deployment or
    /// Job.
    pub(super) fn objects(
        &self,
        given: &BTreeMap<String, Option<String>>,
        image: &str,
        notes: &mut Notes<'_>,
    ) -> Vec<Object> {
        let kind = self.kind();
        self.note_whole(notes);
        let secret = format!("{}-secrets", self.name);
        let environment =
            Environment::of(self.service, given, &self.context.neighbours, &secret, notes);
        if holds_secret(&self.service.config.command, given) {
            notes
                .add("cmd", "appears to contain a secret, which anyone who can view pods can read");
        }
        let template = self.template(kind, environment.variables, image, notes);
        let mut objects = Vec::new();
        if !environment.secrets.is_empty() {
            objects.push(Object::secret(self.metadata(secret), environment.secrets));
        }
        objects.extend(self.service.config.port.map(|port| self.port_service(port)));
        objects.push(self.runner(kind, template, notes));
        note_unsupported(self.service.text(), kind, notes);
        objects
    }

    /// Returns the kind: a Job for a service that is not restarted after success, a Deployment
    /// otherwise.
    fn kind(&self) -> Kind {
        let (is_started, policy) = (self.is_started, &self.service.config.restart_policy);
        let waits_for_end = |other: &Service| {
            other.config.depends_on.get(&self.service.name) == Some(&Condition::Completed)
        };
        match policy.mode {
            RestartMode::Never => Kind::Job { is_started, retries: 0 },
            RestartMode::OnFailure if self.context.services.iter().any(waits_for_end) => {
                Kind::Job { is_started, retries: policy.max_restarts }
            }
            RestartMode::OnFailure | RestartMode::Always => Kind::Deployment { is_started },
        }
    }

    fn metadata(&self, name: String) -> Metadata {
        let mut metadata = Metadata::of(name, self.name, self.context.namespace);
        if self.service.name != self.name {
            metadata.annotations = Pairs::from([("llm-shell/service", self.service.name.clone())]);
        }
        metadata
    }

    fn note_whole(&self, notes: &mut Notes<'_>) {
        if self.service.name != self.name {
            notes.add(
                "",
                format!(
                    "is named {} in Kubernetes, where names have no capitals, `.` or `_`",
                    self.name
                ),
            );
        }
        if may_listen_on_loopback(&self.service.config) {
            let why = "names loopback: a Service and a probe can only reach 0.0.0.0";
            notes.add("cmd", why);
        }
    }

    fn port_service(&self, port: u16) -> Object {
        let ports = vec![ServicePort { name: PORT_NAME, port, target_port: PORT_NAME }];
        let spec = PortService { cluster_ip: None, selector: labels(self.name), ports };
        Object::of(self.metadata(self.name.to_owned()), Spec::Service(spec))
    }

    fn runner(&self, kind: Kind, template: PodTemplate, notes: &mut Notes<'_>) -> Object {
        let metadata = self.metadata(self.name.to_owned());
        let spec = match kind {
            Kind::Deployment { is_started } => {
                let ready = self.min_ready_seconds(notes);
                Spec::Deployment(Box::new(Deployment {
                    replicas: u32::from(is_started),
                    min_ready_seconds: ready,
                    progress_deadline_seconds: ready
                        .filter(|ready| *ready >= PROGRESS_SECONDS)
                        .map(|ready| ready + PROGRESS_SECONDS),
                    // Two instances of one service never run at once.
                    strategy: Strategy { r#type: "Recreate" },
                    selector: Selector { match_labels: labels(self.name) },
                    template,
                }))
            }
            Kind::Job { is_started, retries } => {
                // The maximum of the schema.
                let backoff_limit = retries.min(i32::MAX.unsigned_abs());
                Spec::Job(Box::new(Job { backoff_limit, suspend: !is_started, template }))
            }
        };
        Object::of(metadata, spec)
    }

    /// Returns how long a pod without a check must run to count as up.
    fn min_ready_seconds(&self, notes: &mut Notes<'_>) -> Option<u64> {
        let config = &self.service.config;
        let seconds = || notes.whole_seconds("start_seconds", config.start_seconds, 0);
        config.health_checks.is_empty().then(seconds).filter(|seconds| *seconds > 0)
    }

    fn template(
        &self,
        kind: Kind,
        env: Vec<Variable>,
        image: &str,
        notes: &mut Notes<'_>,
    ) -> PodTemplate {
        let config = &self.service.config;
        let lifecycle = stop_signal(config.stop_signal, notes);
        let probes = Probes::of(self.service, notes);
        if probes.startup.is_none() && self.service.gives("start_timeout") {
            let why = "is left out: only a check with restart_on_failure ends a late start";
            notes.add("start_timeout", why);
        }
        let container = Container {
            name: self.name.to_owned(),
            image: image.to_owned(),
            command: self.command(notes),
            working_dir: working_directory(&config.directory, notes),
            stdin: config.pty,
            tty: config.pty,
            env,
            ports: config.port.map(container_port).into_iter().collect(),
            startup_probe: probes.startup,
            readiness_probe: probes.readiness,
            liveness_probe: probes.liveness,
            resources: resources(&config.limits),
            lifecycle,
            security_context: Some(ContainerSecurity::without_privileges()),
            ..Container::default()
        };
        let wait_image = self.context.wait_image.unwrap_or(image);
        let wait = waits::container(self.service, &self.context.others, wait_image, notes);
        let spec = PodSpec {
            restart_policy: matches!(kind, Kind::Job { .. }).then_some("Never"),
            termination_grace_period_seconds: notes.whole_seconds(
                "stop_timeout",
                config.stop_timeout,
                0,
            ),
            os: container.lifecycle.is_some().then_some(Os { name: "linux" }),
            // The image determines the user.
            security_context: Some(PodSecurity::of(None)),
            init_containers: wait.into_iter().collect(),
            containers: vec![container],
            ..PodSpec::default()
        };
        PodTemplate { metadata: Metadata::labelled(labels(self.name)), spec }
    }

    /// Returns the command, with the names of other services substituted.
    fn command(&self, notes: &mut Notes<'_>) -> Vec<String> {
        let command = &self.service.config.command;
        let neighbours = &self.context.neighbours;
        let put = |word: &String| literal(&neighbours.substitute(word, self.service, "cmd", notes));
        argv(command).iter().map(put).collect()
    }
}

fn container_port(port: u16) -> ContainerPort {
    ContainerPort { name: PORT_NAME, container_port: port }
}

fn holds_secret(command: &CommandLine, given: &BTreeMap<String, Option<String>>) -> bool {
    let masking = Masking::of(given);
    match command {
        CommandLine::Shell(text) => masking.text(text) != *text,
        CommandLine::Arguments(arguments) => masking.arguments(arguments) != *arguments,
    }
}

/// Returns whether the command appears to listen on loopback only.
fn may_listen_on_loopback(config: &ServiceConfig) -> bool {
    const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "::1"];
    let Some(port) = config.port else { return false };
    let text = config.command.to_string();
    let is_loopback = |word: &str| {
        let word = word.rsplit('=').next().unwrap_or(word);
        let bare = word.strip_suffix(&format!(":{port}")).unwrap_or(word);
        LOOPBACK.contains(&bare.trim_matches(['[', ']', '\'', '"']))
    };
    text.split_whitespace().any(is_loopback)
}

fn working_directory(directory: &Path, notes: &mut Notes<'_>) -> Option<String> {
    if directory == Path::new(".") {
        return None;
    }
    if directory.is_relative() {
        notes.add("cwd", "is left out: a container needs an absolute path");
        return None;
    }
    Some(directory.to_string_lossy().into_owned())
}

/// Returns the resource limits. Exceeding the memory limit ends the container, as in Astra; CPU
/// time is capped.
fn resources(limits: &ResourceLimits) -> Option<Resources> {
    let memory = limits.memory_mb.map(|mebibytes| ("memory", format!("{mebibytes}Mi")));
    let cpu = limits.cpu_percent.map(|percent| ("cpu", format!("{:.0}m", (percent * 10.0).ceil())));
    let limits: BTreeMap<_, _> = memory.into_iter().chain(cpu).collect();
    (!limits.is_empty()).then(|| Resources { limits, ..Resources::default() })
}

fn stop_signal(signal: Signal, notes: &mut Notes<'_>) -> Option<Lifecycle> {
    if signal == Signal::TERM {
        return None;
    }
    let stop_signal = signal.to_string();
    if !stop_signal.starts_with("SIG") {
        notes
            .add("stop_signal", format!("{stop_signal} is left out: it has no name in Kubernetes"));
        return None;
    }
    let old = "needs a cluster with the feature ContainerStopSignals (1.33 and later, not on \
               everywhere); others send SIGTERM, or the signal of the image";
    notes.add("stop_signal", old);
    Some(Lifecycle { stop_signal })
}
