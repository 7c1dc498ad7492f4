//! Manifests as YAML.

use super::notes::Warning;
use super::objects::Object;
use crate::error::{Error, Result};
use std::io;

/// The objects of an export, with warnings.
#[derive(Debug)]
pub struct Manifest {
    pub(super) objects: Vec<Object>,
    /// The fields that are not expressed, or not exactly.
    pub warnings: Vec<Warning>,
}

impl Manifest {
    /// Formats the objects as YAML, one document each.
    ///
    /// # Errors
    /// `Kernel` if formatting fails, for which there is no known reason.
    pub fn to_yaml(&self) -> Result<String> {
        let mut text = String::new();
        for object in &self.objects {
            // Commands stay on one line, as they were written.
            let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
            let document = serde_saphyr::to_string_with_options(object, options)
                .map_err(|error| Error::kernel("write YAML", io::Error::other(error)))?;
            text += "---\n";
            text += &document;
        }
        Ok(text)
    }
}
