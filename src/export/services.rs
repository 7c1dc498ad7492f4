//! The services of a file, as objects of Kubernetes.

use super::fault::ExportFault;
use super::images::{Images, checked};
use super::names::{Namespace, of_services};
use super::neighbours::Neighbours;
use super::notes::Notes;
use super::workload::Workload;
use super::yaml::Manifest;
use crate::supervisor::{Service, ServicesFile};
use std::collections::{BTreeMap, BTreeSet};

/// What a file does not say, and its manifest needs.
#[derive(Clone, Debug)]
pub struct Around {
    /// The images that the services run in.
    pub images: Images,
    /// The image that waits for other services; `None` for the service's own.
    pub wait_image: Option<String>,
    /// Where all of it is.
    pub namespace: Option<Namespace>,
}

/// What all services of a file stand in.
pub(super) struct Setting<'a> {
    /// All of them.
    pub services: &'a [Service],
    /// Each by its name, with its name in the cluster.
    pub others: BTreeMap<&'a str, (&'a Service, &'a str)>,
    /// Those that listen.
    pub neighbours: Neighbours<'a>,
    /// The image that waits, where that is not the service's own.
    pub wait_image: Option<&'a str>,
    /// Where all of it is.
    pub namespace: Option<&'a Namespace>,
}

/// Makes the objects of a file's services, in the order of their start. Reads their `env_file`s.
///
/// # Errors
/// `SameName`, `NoImage`, `NoService`, `Flag`, and `EnvironmentFile` where one cannot be read.
pub fn export_services(file: &ServicesFile, around: &Around) -> Result<Manifest, ExportFault> {
    let services = &file.services;
    let names = of_services(services.iter().map(|service| &*service.name))?;
    let unknown = around.images.services().find(|service| !names.contains_key(*service));
    if let Some(service) = unknown {
        return Err(ExportFault::NoService { service: service.clone() });
    }
    let wait_image = around.wait_image.as_deref();
    wait_image.map(|image| checked("wait-image", image)).transpose()?;
    let pairs = services.iter().filter_map(|service| {
        Some((&*service.name, (service, names.get(&service.name)?.as_str())))
    });
    let setting = Setting {
        services,
        others: pairs.collect(),
        neighbours: Neighbours::of(services, &names),
        wait_image,
        namespace: around.namespace.as_ref(),
    };
    let started = started(&setting);
    let mut manifest = Manifest { objects: Vec::new(), warnings: Vec::new() };
    for name in file.graph().start_order() {
        let Some((service, there)) = setting.others.get(name).copied() else { continue };
        let given = service.config.run_environment().map_err(|source| {
            ExportFault::EnvironmentFile { service: service.name.clone(), source }
        })?;
        let is_started = started.contains(name);
        let workload = Workload { service, name: there, is_started, setting: &setting };
        let mut notes = Notes::of(&service.name);
        let image = around.images.of(&service.name)?;
        manifest.objects.extend(workload.objects(&given, image, &mut notes));
        manifest.warnings.extend(notes.finish());
    }
    Ok(manifest)
}

/// The services that are started at once: those with `autostart`, and what they depend on.
fn started<'a>(setting: &Setting<'a>) -> BTreeSet<&'a str> {
    let by_themselves = setting.services.iter().filter(|service| service.config.autostart);
    let mut open: Vec<&'a str> = by_themselves.map(|service| &*service.name).collect();
    let mut started = BTreeSet::new();
    while let Some(name) = open.pop() {
        if started.insert(name) {
            let service = setting.others.get(name).map(|(service, _)| *service);
            let dependencies = service.into_iter().flat_map(|service| &service.config.depends_on);
            open.extend(dependencies.map(|(name, _)| name.as_str()));
        }
    }
    started
}
