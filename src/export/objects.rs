//! Kubernetes objects: the parts of the published schema that are used.

use super::metadata::{Metadata, Pairs};
use super::names::Namespace;
use super::pod::{PodTemplate, Resources};
use serde::Serialize;
use std::collections::BTreeMap;

/// An object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub metadata: Metadata,
    #[serde(flatten)]
    pub body: Body,
}

/// The content of an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Spec { spec: Spec },
    Secret(Secret),
}

/// The `spec` of an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Spec {
    Deployment(Box<Deployment>),
    Job(Box<Job>),
    StatefulSet(Box<StatefulSet>),
    Service(Service),
    NetworkPolicy(NetworkPolicy),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deployment {
    pub replicas: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<u64>,
    pub strategy: Strategy,
    pub selector: Selector,
    pub template: PodTemplate,
}

#[derive(Debug, Serialize)]
pub(super) struct Strategy {
    pub r#type: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selector {
    pub match_labels: Pairs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    pub backoff_limit: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    pub template: PodTemplate,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatefulSet {
    pub replicas: u32,
    pub service_name: String,
    pub pod_management_policy: &'static str,
    pub selector: Selector,
    pub template: PodTemplate,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_claim_templates: Vec<Claim>,
}

#[derive(Debug, Serialize)]
pub(super) struct Claim {
    pub metadata: Metadata,
    pub spec: ClaimSpec,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimSpec {
    pub access_modes: [&'static str; 1],
    pub resources: Resources,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<&'static str>,
    pub selector: Pairs,
    pub ports: Vec<ServicePort>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub name: &'static str,
    pub port: u16,
    pub target_port: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    pub r#type: &'static str,
    pub string_data: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkPolicy {
    pub pod_selector: Selector,
    pub policy_types: [&'static str; 2],
    pub ingress: Vec<Ingress>,
    pub egress: Vec<Egress>,
}

#[derive(Debug, Serialize)]
pub(super) struct Ingress {
    pub from: Vec<Peer>,
    pub ports: Vec<PolicyPort>,
}

#[derive(Debug, Serialize)]
pub(super) struct Egress {
    pub to: Vec<Peer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PolicyPort>,
}

/// A peer of a network policy: pods, or addresses.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peer {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace_selector: Option<AnyNamespace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_selector: Option<Selector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_block: Option<IpBlock>,
}

/// An empty selector, which matches every namespace.
#[derive(Debug, Serialize)]
struct AnyNamespace {}

#[derive(Debug, Serialize)]
struct IpBlock {
    cidr: &'static str,
    except: &'static [&'static str],
}

impl Peer {
    /// Selects pods of the same namespace.
    pub(super) fn pods(selector: Selector) -> Self {
        Self { pod_selector: Some(selector), ..Self::default() }
    }

    /// Selects pods in any namespace.
    pub(super) fn pods_of_any_namespace(selector: Selector) -> Self {
        Self { namespace_selector: Some(AnyNamespace {}), ..Self::pods(selector) }
    }

    /// Selects the addresses of a block, except those of other blocks.
    pub(super) fn addresses(cidr: &'static str, except: &'static [&'static str]) -> Self {
        Self { ip_block: Some(IpBlock { cidr, except }), ..Self::default() }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct PolicyPort {
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    port: u16,
}

impl PolicyPort {
    /// Selects a TCP port; TCP is the default.
    pub(super) fn tcp(port: u16) -> Self {
        Self { protocol: None, port }
    }

    /// Selects a UDP port.
    pub(super) fn udp(port: u16) -> Self {
        Self { protocol: Some("UDP"), port }
    }
}

impl Object {
    /// Creates an object with a spec.
    pub(super) fn of(metadata: Metadata, spec: Spec) -> Self {
        let (api_version, kind) = match spec {
            Spec::Deployment(_) => ("apps/v1", "Deployment"),
            Spec::Job(_) => ("batch/v1", "Job"),
            Spec::StatefulSet(_) => ("apps/v1", "StatefulSet"),
            Spec::Service(_) => ("v1", "Service"),
            Spec::NetworkPolicy(_) => ("networking.k8s.io/v1", "NetworkPolicy"),
        };
        Self { api_version, kind, metadata, body: Body::Spec { spec } }
    }

    /// Creates a Secret.
    pub(super) fn secret(metadata: Metadata, string_data: BTreeMap<String, String>) -> Self {
        let secret = Secret { r#type: "Opaque", string_data };
        Self { api_version: "v1", kind: "Secret", metadata, body: Body::Secret(secret) }
    }
}

impl Metadata {
    /// Creates the metadata of an object; `app` is the label that its pods are selected by.
    pub(super) fn of(name: String, app: &str, namespace: Option<&Namespace>) -> Self {
        let namespace = namespace.map(|namespace| namespace.name().to_owned());
        Self { name, namespace, labels: labels(app), annotations: Pairs::new() }
    }

    /// Creates the metadata of a part of another object.
    pub(super) fn labelled(labels: Pairs) -> Self {
        Self { labels, ..Self::default() }
    }
}

/// Returns the labels of all objects of an application, by which its pods are selected.
pub(super) fn labels(app: &str) -> Pairs {
    Pairs::from([
        ("app.kubernetes.io/name", app.to_owned()),
        ("app.kubernetes.io/managed-by", "llm-shell".to_owned()),
    ])
}
