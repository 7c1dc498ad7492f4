//! `llm-shell export`: from the options to the output.

use super::{StartError, commands_environment, print};
use crate::export::{
    self, ExportError, Images, Manifest, Namespace, ServicesExport, Shells, TokenSource, Warning,
};
use crate::settings::ExportOptions;
use crate::supervisor::ServicesFile;

/// Prints manifests, and returns warnings about what they lack.
///
/// # Errors
/// `File` with all errors of the services file, `Export` if it cannot be exported, `Machine` if
/// stdout cannot be written.
pub fn export(options: &ExportOptions) -> Result<Vec<Warning>, StartError> {
    let namespace = options.namespace.as_deref().map(Namespace::parse).transpose()?;
    let images = Images::parse(&options.images)?;
    let manifest = if let Some(agents) = options.agents {
        shells(options, (agents, images), namespace)?
    } else {
        let file = ServicesFile::read(&options.file, &commands_environment())?;
        let context = ServicesExport { images, wait_image: options.wait_image.clone(), namespace };
        export::export_services(&file, &context)?
    };
    print(manifest.to_yaml()?.as_bytes())?;
    Ok(manifest.warnings)
}

fn shells(
    options: &ExportOptions,
    (agents, images): (u16, Images),
    namespace: Option<Namespace>,
) -> Result<Manifest, ExportError> {
    let generated = || TokenSource::Generated;
    export::export_shells(&Shells {
        name: options.name.clone(),
        agents,
        image: images.only()?,
        namespace,
        tokens: options.token_secret.clone().map_or_else(generated, TokenSource::Secret),
        storage: options.storage.clone(),
    })
}
