//! One LLM Shell for each agent, as objects of Kubernetes.

use super::fault::ExportFault;
use super::names::{Namespace, SET_BYTES_MAX, checked, checked_object};
use super::objects::{
    Claim, ClaimSpec, Egress, Ingress, Metadata, NetworkPolicy, Object, Pairs, Peer, PolicyPort,
    Selector, Service, ServicePort, Spec, StatefulSet, labels,
};
use super::pod::{
    Container, ContainerPort, ContainerSecurity, Content, EmptyDir, FieldOfPod, HttpGet, Look,
    Mount, PodSecurity, PodSpec, PodTemplate, PodUser, Port, Probe, Resources, SecretVolume,
    Source, Variable, Volume,
};
use super::yaml::Manifest;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

/// The most agents of one manifest: their tokens stand in one Secret, which `kubectl apply` notes
/// once more in an annotation of 256 KiB at most.
const AGENTS_MAX: u16 = 1000;

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

const PORT: u16 = 8000;
const PORT_NAME: &str = "http";
const DATA: &str = "data";
const TOKEN: &str = "token";
const WORK: &str = "/work";
const LOGS: &str = "/var/log/llm-shell";
const TOKEN_FILE: &str = "/run/llm-shell/token";

/// The port of name services.
const DNS_PORT: u16 = 53;

/// The IPv4 addresses that are no public ones, where clusters and machines are: private (RFC
/// 1918), shared (RFC 6598), link-local (RFC 3927).
const PRIVATE_IPV4: &[&str] =
    &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];

/// Those of IPv6: unique local (RFC 4193) and link-local (RFC 4291).
const PRIVATE_IPV6: &[&str] = &["fc00::/7", "fe80::/10"];

/// Bytes of logs that each shell keeps: they have to fit beside the work of the agent.
const LOG_BYTES: &str = "268435456";

/// The user that nothing else runs as.
const USER: u32 = 10001;

/// Where the tokens come from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// They are made now, one a shell.
    Generated,
    /// A Secret that is there already, with a key for each pod.
    Secret(String),
}

/// The shells that are wanted.
#[derive(Clone, Debug)]
pub struct Shells {
    /// What they are called: `NAME-0`, `NAME-1` and so on.
    pub name: String,
    /// How many.
    pub agents: u16,
    /// The image, in which `llm-shell` is found by PATH.
    pub image: String,
    /// Where all of it is.
    pub namespace: Option<Namespace>,
    /// Where the tokens come from.
    pub tokens: TokenSource,
    /// How much each keeps on a volume of its own; `None` where it may go with the pod.
    pub storage: Option<String>,
}

/// Makes the objects of these shells.
///
/// # Errors
/// `Flag` where Kubernetes would refuse a value, and `Chance` where there are no random numbers.
pub fn export_shells(shells: &Shells) -> Result<Manifest, ExportFault> {
    checked("name", &shells.name, SET_BYTES_MAX)?;
    if !(1..=AGENTS_MAX).contains(&shells.agents) {
        let wanted = "from 1 to 1000: give the next thousand another --name";
        let value = shells.agents.to_string();
        return Err(ExportFault::Flag { flag: "agents", value, wanted });
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

    /// What gives each pod a name of its own: `NAME-0.NAME`.
    fn headless_service(&self) -> Object {
        let ports = vec![ServicePort { name: PORT_NAME, port: PORT, target_port: PORT_NAME }];
        let service = Service { cluster_ip: Some("None"), selector: labels(&self.name), ports };
        Object::of(self.metadata(self.name.clone()), Spec::Service(service))
    }

    /// Lets in the pods that have the label of clients, and no other. Lets commands reach the
    /// internet, and of the cluster the name service alone: neither other pods, nor the API, nor
    /// the credentials that clouds give away at a link-local address.
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
            // SIGTERM, the grace of a kill, and time to write what is left.
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

    /// The root is read-only: what is written is work, logs and /tmp.
    fn mounts(&self) -> Vec<Mount> {
        let of = |path, part: &'static str| match self.storage {
            Some(_) => Mount { name: DATA, path, sub_path: Some(part), ..Mount::default() },
            None => Mount { name: part, path, ..Mount::default() },
        };
        vec![
            of(WORK, "work"),
            of(LOGS, "logs"),
            Mount { name: "tmp", path: "/tmp", ..Mount::default() },
            // The pod sees its own token alone.
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
        // For the group of the pod: 0440.
        let content = SecretVolume { secret_name: secret, default_mode: 0o440 };
        volumes.push(Volume { name: TOKEN, content: Content::Secret(content) });
        volumes
    }
}

fn owned((name, value): (&'static str, &str)) -> (&'static str, String) {
    (name, value.to_owned())
}

fn probe(period_seconds: u64, failure_threshold: u64) -> Probe {
    let look = HttpGet { path: "/health".to_owned(), port: Port::Name(PORT_NAME), scheme: None };
    let look = Look::HttpGet(look);
    let initial_delay_seconds = None;
    Probe { look, initial_delay_seconds, period_seconds, timeout_seconds: 5, failure_threshold }
}

fn claim(storage: &str) -> Claim {
    let resources =
        Resources { requests: [("storage", storage.to_owned())].into(), limits: BTreeMap::new() };
    Claim {
        metadata: Metadata { name: DATA.to_owned(), ..Metadata::default() },
        spec: ClaimSpec { access_modes: ["ReadWriteOnce"], resources },
    }
}

/// A token for each pod, by the name of the pod.
fn tokens(shells: &Shells) -> Result<BTreeMap<String, String>, ExportFault> {
    let names = (0..shells.agents).map(|number| format!("{}-{number}", shells.name));
    names.map(|name| Ok((name, token()?))).collect()
}

fn token() -> Result<String, ExportFault> {
    let chance = |source: io::Error| ExportFault::Chance { source };
    let mut bytes = [0; TOKEN_BYTES];
    let count = getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|e| chance(e.into()))?;
    // The kernel cuts nothing this short.
    if count != bytes.len() {
        return Err(chance(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut token = String::with_capacity(2 * TOKEN_BYTES);
    for byte in bytes {
        // Text takes all that is written to it.
        let _infallible = write!(token, "{byte:02x}");
    }
    Ok(token)
}

/// Checks an amount of storage such as 2Gi.
fn check_quantity(text: &str) -> Result<(), ExportFault> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_count = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse() != Ok(0_u64);
    let is_unit = ["Mi", "Gi", "Ti", "M", "G", "T"].contains(&&text[digits.len()..]);
    if !digits.is_empty() && digits.len() < 16 && is_count && is_unit {
        return Ok(());
    }
    let wanted = "an amount of storage such as 2Gi";
    Err(ExportFault::Flag { flag: "storage", value: text.to_owned(), wanted })
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
    fn each_token_is_another() {
        let tokens = [token().unwrap(), token().unwrap()];
        assert_ne!(tokens[0], tokens[1]);
        assert!(tokens.iter().all(|token| token.len() == 64));
    }
}
