//! Kubernetes pods: the parts of the published schema that are used.

use super::metadata::Metadata;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
pub(super) struct PodTemplate {
    pub metadata: Metadata,
    pub spec: PodSpec,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    /// False: the services do not use the Kubernetes API.
    pub automount_service_account_token: bool,
    /// False: the variables would conflict with those of the file: a Service `rag` sets `RAG_PORT`.
    pub enable_service_links: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<&'static str>,
    pub termination_grace_period_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<PodSecurity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    pub containers: Vec<Container>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
}

#[derive(Debug, Serialize)]
pub(super) struct Os {
    pub name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSecurity {
    #[serde(flatten)]
    pub user: Option<PodUser>,
    pub seccomp_profile: Seccomp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodUser {
    pub run_as_non_root: bool,
    pub run_as_user: u32,
    pub run_as_group: u32,
    pub fs_group: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Seccomp {
    pub r#type: &'static str,
}

impl PodSecurity {
    /// Applies the runtime's default seccomp profile; the user is that of the image, or this one.
    pub(super) fn of(user: Option<PodUser>) -> Self {
        Self { user, seccomp_profile: Seccomp { r#type: "RuntimeDefault" } }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub name: String,
    pub image: String,
    pub command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stdin: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tty: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Variable>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<ContainerSecurity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<Mount>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Source>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source {
    SecretKeyRef(SecretKey),
    FieldRef(FieldOfPod),
}

#[derive(Debug, Serialize)]
pub(super) struct SecretKey {
    pub name: String,
    pub key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldOfPod {
    pub field_path: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub name: &'static str,
    pub container_port: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    #[serde(flatten)]
    pub handler: Handler,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay_seconds: Option<u64>,
    pub period_seconds: u64,
    pub timeout_seconds: u64,
    pub failure_threshold: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Handler {
    HttpGet(HttpGet),
    TcpSocket(TcpSocket),
    Exec(Exec),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct HttpGet {
    pub path: String,
    pub port: Port,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<&'static str>,
}

/// A port, by its number or by its name in the container.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Port {
    Number(u16),
    Name(&'static str),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TcpSocket {
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Exec {
    pub command: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lifecycle {
    pub stop_signal: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerSecurity {
    pub allow_privilege_escalation: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only_root_filesystem: bool,
    pub capabilities: Capabilities,
}

impl ContainerSecurity {
    /// Forbids additional privileges, and drops all capabilities of root.
    pub(super) fn without_privileges() -> Self {
        Self {
            allow_privilege_escalation: false,
            read_only_root_filesystem: false,
            capabilities: Capabilities { drop: ["ALL"] },
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Capabilities {
    pub drop: [&'static str; 1],
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub name: &'static str,
    #[serde(rename = "mountPath")]
    pub path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path_expr: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Volume {
    pub name: &'static str,
    #[serde(flatten)]
    pub content: Content,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Content {
    EmptyDir(EmptyDir),
    Secret(SecretVolume),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EmptyDir {
    pub size_limit: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretVolume {
    pub secret_name: String,
    pub default_mode: u32,
}
