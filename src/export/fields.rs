//! Warnings about the fields of the services file that a manifest cannot express.

use super::kind::Kind;
use super::notes::Notes;
use crate::supervisor::ServiceConfig;
use crate::supervisor::services_file::Mapping::{
    Unsupported, UnsupportedInDeployment, UnsupportedInJob,
};
use serde_json::Value;

/// Notes every field of a service, by its text, that what it becomes cannot express.
pub(super) fn note_unsupported(text: &str, kind: Kind, notes: &mut Notes<'_>) {
    // It was parsed before.
    let given: Value = serde_json::from_str(text).unwrap_or_default();
    for (path, mapping) in ServiceConfig::export_mappings() {
        let Some(value) = given.pointer(&format!("/{}", path.replace('.', "/"))) else { continue };
        let ((Unsupported(sentence), _)
        | (UnsupportedInDeployment(sentence), Kind::Deployment { .. })
        | (UnsupportedInJob(sentence), Kind::Job { .. })) = (mapping, kind)
        else {
            continue;
        };
        // What says nothing, or what a Deployment does.
        let is_moot = value.is_null() || *value == false || *value == "always";
        if !is_moot {
            notes.add(&path, sentence);
        }
    }
}
