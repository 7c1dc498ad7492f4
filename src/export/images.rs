//! Which image each service runs in.

use super::fault::ExportFault;
use std::collections::BTreeMap;

/// The images that were given: one for all, others for single services.
#[derive(Clone, Debug, Default)]
pub struct Images {
    all: Option<String>,
    by_service: BTreeMap<String, String>,
}

impl Images {
    /// Reads `IMAGE` and `SERVICE=IMAGE`, the later ones over those before them.
    ///
    /// # Errors
    /// `Flag` where no image can be so named.
    pub fn parse(given: &[String]) -> Result<Self, ExportFault> {
        let mut images = Self::default();
        for given in given {
            match given.split_once('=') {
                Some((service, image)) => {
                    images.by_service.insert(service.to_owned(), checked("image", image)?);
                }
                None => images.all = Some(checked("image", given)?),
            }
        }
        Ok(images)
    }

    /// That of a service.
    pub(super) fn of(&self, service: &str) -> Result<&str, ExportFault> {
        let found = self.by_service.get(service).or(self.all.as_ref());
        found
            .map(String::as_str)
            .ok_or_else(|| ExportFault::NoImage { service: service.to_owned() })
    }

    /// That of all.
    ///
    /// # Errors
    /// `Flag` where none was given, or one for a service.
    pub fn only(&self) -> Result<String, ExportFault> {
        let image = self.all.clone().filter(|_| self.by_service.is_empty());
        image.ok_or_else(|| ExportFault::Flag {
            flag: "image",
            value: self.by_service.keys().next().cloned().unwrap_or_default(),
            wanted: "one image for all agents",
        })
    }

    /// The services that have one of their own.
    pub(super) fn services(&self) -> impl Iterator<Item = &String> {
        self.by_service.keys()
    }
}

/// Checks the name of an image that was given with a flag.
pub(super) fn checked(flag: &'static str, image: &str) -> Result<String, ExportFault> {
    let is_plain = !image.is_empty() && image.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| image.to_owned()).ok_or_else(|| ExportFault::Flag {
        flag,
        value: image.to_owned(),
        wanted: "the name of an image such as registry.example/app:1.2",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_its_own_image_or_that_of_all() {
        let given = ["app:1", "db=postgres:17@sha256:ab"].map(str::to_owned);
        let images = Images::parse(&given).unwrap();
        assert_eq!(images.of("db").unwrap(), "postgres:17@sha256:ab");
        assert_eq!(images.of("web").unwrap(), "app:1");
        assert!(images.only().is_err());
        let images = Images::parse(&given[1..]).unwrap();
        assert!(images.of("web").unwrap_err().to_string().contains("--image web=IMAGE"));
        for bad in ["", "a b", "db="] {
            assert!(Images::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
