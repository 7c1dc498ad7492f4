//! `llm-shell export`: from the order to the text.

use super::{StartFault, commands_environment, print};
use crate::export::{
    self, Around, ExportFault, Images, Manifest, Namespace, Shells, TokenSource, Warning,
};
use crate::settings::ExportOrder;
use crate::supervisor::ServicesFile;

/// Prints manifests, and gives what they do not say.
///
/// # Errors
/// `File` with every fault of the services file, `Export` where it has no manifest, `Machine`
/// where that cannot be written.
pub fn export(order: &ExportOrder) -> Result<Vec<Warning>, StartFault> {
    let namespace = order.namespace.as_deref().map(Namespace::parse).transpose()?;
    let images = Images::parse(&order.images)?;
    let manifest = if let Some(agents) = order.agents {
        shells(order, (agents, images), namespace)?
    } else {
        let file = ServicesFile::read(&order.file, &commands_environment())?;
        let around = Around { images, wait_image: order.wait_image.clone(), namespace };
        export::export_services(&file, &around)?
    };
    print(manifest.to_yaml()?.as_bytes())?;
    Ok(manifest.warnings)
}

fn shells(
    order: &ExportOrder,
    (agents, images): (u16, Images),
    namespace: Option<Namespace>,
) -> Result<Manifest, ExportFault> {
    let made = || TokenSource::Made;
    export::export_shells(&Shells {
        name: order.name.clone(),
        agents,
        image: images.only()?,
        namespace,
        tokens: order.token_secret.clone().map_or_else(made, TokenSource::Secret),
        storage: order.storage.clone(),
    })
}
