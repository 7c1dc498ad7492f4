//! The services of a file, as Kubernetes objects.

use super::context::FileContext;
use super::error::ExportError;
use super::images::{Images, checked};
use super::names::{Namespace, of_services};
use super::neighbours::Neighbours;
use super::notes::Notes;
use super::workload::Workload;
use super::yaml::Manifest;
use crate::supervisor::ServicesFile;
use std::collections::BTreeSet;

/// The options of an export that are not in the services file.
#[derive(Clone, Debug)]
pub struct ServicesExport {
    /// The images that the services run in.
    pub images: Images,
    /// The image that waits for other services; `None` for the service's own.
    pub wait_image: Option<String>,
    /// The namespace.
    pub namespace: Option<Namespace>,
}

/// Creates the objects of a file's services, in start order. Reads their `env_file`s.
///
/// # Errors
/// `SameName`, `NoImage`, `NoService`, `Flag`, and `EnvironmentFile` if one cannot be read.
pub fn export_services(
    file: &ServicesFile,
    options: &ServicesExport,
) -> Result<Manifest, ExportError> {
    let services = &file.services;
    let names = of_services(services.iter().map(|service| &*service.name))?;
    let unknown = options.images.services().find(|service| !names.contains_key(*service));
    if let Some(service) = unknown {
        return Err(ExportError::NoService { service: service.clone() });
    }
    let wait_image = options.wait_image.as_deref();
    wait_image.map(|image| checked("wait-image", image)).transpose()?;
    let pairs = services.iter().filter_map(|service| {
        Some((&*service.name, (service, names.get(&service.name)?.as_str())))
    });
    let context = FileContext {
        services,
        others: pairs.collect(),
        neighbours: Neighbours::of(services, &names),
        wait_image,
        namespace: options.namespace.as_ref(),
    };
    let started = started(&context);
    let mut manifest = Manifest { objects: Vec::new(), warnings: Vec::new() };
    for name in file.graph().start_order() {
        let Some((service, there)) = context.others.get(name).copied() else { continue };
        let given = service.config.run_environment().map_err(|source| {
            ExportError::EnvironmentFile { service: service.name.clone(), source }
        })?;
        let is_started = started.contains(name);
        let workload = Workload { service, name: there, is_started, context: &context };
        let mut notes = Notes::of(&service.name);
        let image = options.images.of(&service.name)?;
        manifest.objects.extend(workload.objects(&given, image, &mut notes));
        manifest.warnings.extend(notes.finish());
    }
    Ok(manifest)
}

/// Returns the services that are started at once: those with `autostart`, and their dependencies.
fn started<'a>(context: &FileContext<'a>) -> BTreeSet<&'a str> {
    let by_themselves = context.services.iter().filter(|service| service.config.autostart);
    let mut open: Vec<&'a str> = by_themselves.map(|service| &*service.name).collect();
    let mut started = BTreeSet::new();
    while let Some(name) = open.pop() {
        if started.insert(name) {
            let service = context.others.get(name).map(|(service, _)| *service);
            let dependencies = service.into_iter().flat_map(|service| &service.config.depends_on);
            open.extend(dependencies.map(|(name, _)| name.as_str()));
        }
    }
    started
}
