//! One LLM Shell for each agent, as Kubernetes objects.

use super::error::ExportError;
use super::metadata::{Metadata, Pairs};
use super::names::{Namespace, SET_BYTES_MAX, checked, checked_object};
use super::objects::{
    Claim, ClaimSpec, Egress, Ingress, NetworkPolicy, Object, Peer, PolicyPort, Selector, Service,
    ServicePort, Spec, StatefulSet, labels,
};
use super::pod::{
    Container, ContainerPort, ContainerSecurity, Content, EmptyDir, FieldOfPod, Handler, HttpGet,
    Mount, PodSecurity, PodSpec, PodTemplate, PodUser, Port, Probe, Resources, SecretVolume,
    Source, Variable, Volume,
};
use super::yaml::Manifest;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

/// The maximum number of agents in one manifest: their tokens are in one Secret, which `kubectl
/// apply` duplicates in an annotation of at most 256 KiB.
const AGENTS_MAX: u16 = 1000;

/// The random bytes in a token.
const TOKEN_BYTES: usize = 32;

const PORT: u16 = 8000;
const PORT_NAME: &str = "http";
const DATA: &str = "data";
const TOKEN: &str = "token";
const WORK: &str = "/work";
const LOGS: &str = "/var/log/llm-shell";
const TOKEN_FILE: &str = "/run/llm-shell/token";

/// The DNS port.
const DNS_PORT: u16 = 53;

/// The IPv4 addresses that are not public, which clusters and machines use: private (RFC 1918),
/// shared (RFC 6598), link-local (RFC 3927).
const PRIVATE_IPV4: &[&str] =
    &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];

/// The IPv6 addresses that are not public: unique local (RFC 4193) and link-local (RFC 4291).
const PRIVATE_IPV6: &[&str] = &["fc00::/7", "fe80::/10"];

/// The maximum size of each shell's logs, in bytes: they share the volume with the agent's work.
const LOG_BYTES: &str = "268435456";

/// A user id that nothing else uses.
const USER: u32 = 10001;

/// The source of the tokens.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// Generate one per shell.
    Generated,
    /// Use an existing Secret, with a key for each pod.
    Secret(String),
}

/// The shells to export.
#[derive(Clone, Debug)]
pub struct Shells {
    /// The name: the pods are `NAME-0`, `NAME-1` and so on.
    pub name: String,
    /// The number of shells.
    pub agents: u16,
    /// The image, in which PATH leads to `llm-shell`.
    pub image: String,
    /// The namespace.
    pub namespace: Option<Namespace>,
    /// The source of the tokens.
    pub tokens: TokenSource,
    /// The size of each shell's volume; `None` if its data may be lost with the pod.
    pub storage: Option<String>,
}

/// Creates the objects of these shells.
///
/// # Errors
/// `Flag` if Kubernetes would refuse a value, and `Randomness` if the kernel has no random
/// numbers.
pub fn export_shells(shells: &Shells) -> Result<Manifest, ExportError> {
    checked("name", &shells.name, SET_BYTES_MAX)?;
    if !(1..=AGENTS_MAX).contains(&shells.agents) {
        let expected = "1 to 1000; for more, export again with another --name";
        let value = shells.agents.to_string();
        return Err(ExportError::Flag { flag: "agents", value, expected });
    }
    if let Some(storage) = &shells.storage {
        check_quantity(storage)?;
    }
    let (secret, made) = match &shells.tokens {
        TokenSource::Generated => (format!("{}-tokens", shells.name), Some(tokens(shells)?)),
        TokenSource::Secret(name) => (checked_object("token-secret", name)?, None),
    };
    let secret_object = made.map(|tokens| Object::secret(shells.metadata(secret.clone()), tokens));
    let mut objects: Vec<Object> = secret_object.into_iter().collect();
    objects.push(shells.headless_service());
    objects.push(shells.network_policy());
    objects.push(shells.stateful_set(secret));
    Ok(Manifest { objects, warnings: Vec::new() })
}

impl Shells {
    fn metadata(&self, name: String) -> Metadata {
        Metadata::of(name, &self.name, self.namespace.as_ref())
    }

    fn selector(&self) -> Selector {
        Selector { match_labels: labels(&self.name) }
    }

    /// Creates the Service that gives each pod its own name: `NAME-0.NAME`.
    fn headless_service(&self) -> Object {
        let ports = vec![ServicePort { name: PORT_NAME, port: PORT, target_port: PORT_NAME }];
        let service = Service { cluster_ip: Some("None"), selector: labels(&self.name), ports };
        Object::of(self.metadata(self.name.clone()), Spec::Service(service))
    }

    /// Creates the network policy. It admits only pods with the label of clients. Commands may
    /// reach the internet and the DNS of the cluster, but no other pods, not the API, and not the
    /// credentials that clouds serve at a link-local address.
    fn network_policy(&self) -> Object {
        let clients = Pairs::from([("llm-shell-client", self.name.clone())]);
        let from = vec![Peer::pods(Selector { match_labels: clients })];
        let dns = Pairs::from([("k8s-app", "kube-dns".to_owned())]);
        let name_service = Peer::pods_of_any_namespace(Selector { match_labels: dns });
        let blocks = [("0.0.0.0/0", PRIVATE_IPV4), ("::/0", PRIVATE_IPV6)];
        let internet = blocks.map(|(cidr, except)| Peer::addresses(cidr, except));
        let policy = NetworkPolicy {
            pod_selector: self.selector(),
            policy_types: ["Ingress", "Egress"],
            ingress: vec![Ingress { from, ports: vec![PolicyPort::tcp(PORT)] }],
            egress: vec![
                Egress {
                    to: vec![name_service],
                    ports: vec![PolicyPort::tcp(DNS_PORT), PolicyPort::udp(DNS_PORT)],
                },
                Egress { to: internet.into(), ports: Vec::new() },
            ],
        };
        Object::of(self.metadata(self.name.clone()), Spec::NetworkPolicy(policy))
    }

    fn stateful_set(&self, secret: String) -> Object {
        let spec = PodSpec {
            // SIGTERM, the grace period of a kill, and time to write the rest.
            termination_grace_period_seconds: 30,
            security_context: Some(PodSecurity::of(Some(PodUser {
                run_as_non_root: true,
                run_as_user: USER,
                run_as_group: USER,
                fs_group: USER,
            }))),
            containers: vec![self.container()],
            volumes: self.volumes(secret),
            ..PodSpec::default()
        };
        let template = PodTemplate { metadata: Metadata::labelled(labels(&self.name)), spec };
        let set = StatefulSet {
            replicas: u32::from(self.agents),
            service_name: self.name.clone(),
            pod_management_policy: "Parallel",
            selector: self.selector(),
            template,
            volume_claim_templates: self.storage.as_deref().map(claim).into_iter().collect(),
        };
        Object::of(self.metadata(self.name.clone()), Spec::StatefulSet(Box::new(set)))
    }

    fn container(&self) -> Container {
        Container {
            name: "llm-shell".to_owned(),
            image: self.image.clone(),
            command: ["llm-shell", "serve"].map(str::to_owned).to_vec(),
            working_dir: Some(WORK.to_owned()),
            env: self.variables(),
            ports: vec![ContainerPort { name: PORT_NAME, container_port: PORT }],
            startup_probe: Some(probe(1, 30)),
            readiness_probe: Some(probe(5, 2)),
            liveness_probe: Some(probe(10, 3)),
            resources: Some(Resources {
                requests: [("cpu", "50m"), ("memory", "64Mi")].map(owned).into(),
                limits: [("memory", "1Gi")].map(owned).into(),
            }),
            security_context: Some(ContainerSecurity {
                read_only_root_filesystem: true,
                ..ContainerSecurity::without_privileges()
            }),
            volume_mounts: self.mounts(),
            ..Container::default()
        }
    }

    fn variables(&self) -> Vec<Variable> {
        let own = format!("$(POD_NAME).{}", self.name);
        let hosts = ["", ".$(POD_NAMESPACE).svc", ".$(POD_NAMESPACE).svc.cluster.local"];
        let hosts = hosts.map(|domain| format!("{own}{domain}")).join(",");
        let of_pod = |name: &str, field_path| Variable {
            name: name.to_owned(),
            value: None,
            value_from: Some(Source::FieldRef(FieldOfPod { field_path })),
        };
        let mut variables = vec![
            of_pod("POD_NAME", "metadata.name"),
            of_pod("POD_NAMESPACE", "metadata.namespace"),
        ];
        let values = [
            ("HOME", WORK.to_owned()),
            ("LLM_SHELL_HOST", "0.0.0.0".to_owned()),
            ("LLM_SHELL_PORT", PORT.to_string()),
            ("LLM_SHELL_LOG_DIR", LOGS.to_owned()),
            ("LLM_SHELL_LOG_MAX_BYTES", LOG_BYTES.to_owned()),
            ("LLM_SHELL_TOKEN_FILE", TOKEN_FILE.to_owned()),
            ("LLM_SHELL_ALLOWED_HOSTS", hosts),
        ];
        variables.extend(values.map(|(name, value)| Variable {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        }));
        variables
    }

    /// The root file system is read-only: only work, logs and /tmp are writable.
    fn mounts(&self) -> Vec<Mount> {
        let of = |path, part: &'static str| match self.storage {
            Some(_) => Mount { name: DATA, path, sub_path: Some(part), ..Mount::default() },
            None => Mount { name: part, path, ..Mount::default() },
        };
        vec![
            of(WORK, "work"),
            of(LOGS, "logs"),
            Mount { name: "tmp", path: "/tmp", ..Mount::default() },
            // The pod sees only its own token.
            Mount {
                name: TOKEN,
                path: TOKEN_FILE,
                sub_path_expr: Some("$(POD_NAME)"),
                read_only: true,
                ..Mount::default()
            },
        ]
    }

    fn volumes(&self, secret: String) -> Vec<Volume> {
        let empty =
            |name, size_limit| Volume { name, content: Content::EmptyDir(EmptyDir { size_limit }) };
        let mut volumes = vec![empty("tmp", "1Gi")];
        if self.storage.is_none() {
            volumes.extend([empty("work", "1Gi"), empty("logs", "512Mi")]);
        }
        // Readable by the group of the pod: 0440.
        let content = SecretVolume { secret_name: secret, default_mode: 0o440 };
        volumes.push(Volume { name: TOKEN, content: Content::Secret(content) });
        volumes
    }
}

fn owned((name, value): (&'static str, &str)) -> (&'static str, String) {
    (name, value.to_owned())
}

fn probe(period_seconds: u64, failure_threshold: u64) -> Probe {
    let handler = HttpGet { path: "/health".to_owned(), port: Port::Name(PORT_NAME), scheme: None };
    let handler = Handler::HttpGet(handler);
    let initial_delay_seconds = None;
    Probe { handler, initial_delay_seconds, period_seconds, timeout_seconds: 5, failure_threshold }
}

fn claim(storage: &str) -> Claim {
    let resources =
        Resources { requests: [("storage", storage.to_owned())].into(), limits: BTreeMap::new() };
    Claim {
        metadata: Metadata { name: DATA.to_owned(), ..Metadata::default() },
        spec: ClaimSpec { access_modes: ["ReadWriteOnce"], resources },
    }
}

/// Generates a token for each pod, by the pod's name.
fn tokens(shells: &Shells) -> Result<BTreeMap<String, String>, ExportError> {
    let names = (0..shells.agents).map(|number| format!("{}-{number}", shells.name));
    names.map(|name| Ok((name, token()?))).collect()
}

fn token() -> Result<String, ExportError> {
    let error = |source: io::Error| ExportError::Randomness { source };
    let mut bytes = [0; TOKEN_BYTES];
    let count = getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|e| error(e.into()))?;
    // The kernel does not truncate a request this short.
    if count != bytes.len() {
        return Err(error(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut token = String::with_capacity(2 * TOKEN_BYTES);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _infallible = write!(token, "{byte:02x}");
    }
    Ok(token)
}

/// Checks an amount of storage such as 2Gi.
fn check_quantity(text: &str) -> Result<(), ExportError> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_count = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse() != Ok(0_u64);
    let is_unit = ["Mi", "Gi", "Ti", "M", "G", "T"].contains(&&text[digits.len()..]);
    if !digits.is_empty() && digits.len() < 16 && is_count && is_unit {
        return Ok(());
    }
    let expected = "an amount of storage such as 2Gi";
    Err(ExportError::Flag { flag: "storage", value: text.to_owned(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_of_storage_has_a_unit() {
        for amount in ["2Gi", "500Mi", "1T"] {
            assert!(check_quantity(amount).is_ok(), "{amount}");
        }
        for amount in ["", "2", "Gi", "0Gi", "-1Gi", "2gi", "2 Gi", "1.5Gi"] {
            assert!(check_quantity(amount).is_err(), "{amount}");
        }
    }

    #[test]
    fn tokens_are_unique() {
        let tokens = [token().unwrap(), token().unwrap()];
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens.iter().all(|token| token.len() == 64));
    }
}
