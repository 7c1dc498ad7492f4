//! The metadata of objects.

use serde::Serialize;
use std::collections::BTreeMap;

/// Names with their values, as in labels, annotations and selectors.
pub(super) type Pairs = BTreeMap<&'static str, String>;

/// The metadata of an object.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Metadata {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Pairs,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Pairs,
}
