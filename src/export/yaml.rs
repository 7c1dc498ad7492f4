//! A manifest as text.

use super::notes::Warning;
use super::objects::Object;
use crate::error::{Error, Result};
use std::io;

/// Objects of Kubernetes, and what they do not say.
#[derive(Debug)]
pub struct Manifest {
    pub(super) objects: Vec<Object>,
    /// What has no place among the objects, or not quite.
    pub warnings: Vec<Warning>,
}

impl Manifest {
    /// The objects as YAML, a document each.
    ///
    /// # Errors
    /// `Kernel` where they cannot be written, for which there is no known reason.
    pub fn to_yaml(&self) -> Result<String> {
        let mut text = String::new();
        for object in &self.objects {
            // Commands stand on one line, as they were written.
            let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
            let document = serde_saphyr::to_string_with_options(object, options)
                .map_err(|error| Error::kernel("write YAML", io::Error::other(error)))?;
            text += "---\n";
            text += &document;
        }
        Ok(text)
    }
}
