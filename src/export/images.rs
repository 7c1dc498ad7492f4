//! The images of the services.

use super::error::ExportError;
use std::collections::BTreeMap;

/// The given images: one for all services, others for single ones.
#[derive(Clone, Debug, Default)]
pub struct Images {
    all: Option<String>,
    by_service: BTreeMap<String, String>,
}

impl Images {
    /// Parses `IMAGE` and `SERVICE=IMAGE`; later values override earlier ones.
    ///
    /// # Errors
    /// `Flag` for an invalid image name.
    pub fn parse(given: &[String]) -> Result<Self, ExportError> {
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

    /// Returns the image of a service.
    pub(super) fn of(&self, service: &str) -> Result<&str, ExportError> {
        let found = self.by_service.get(service).or(self.all.as_ref());
        found
            .map(String::as_str)
            .ok_or_else(|| ExportError::NoImage { service: service.to_owned() })
    }

    /// Returns the image for all.
    ///
    /// # Errors
    /// `Flag` if there is none, or one for a single service.
    pub fn only(&self) -> Result<String, ExportError> {
        let image = self.all.clone().filter(|_| self.by_service.is_empty());
        image.ok_or_else(|| ExportError::Flag {
            flag: "image",
            value: self.by_service.keys().next().cloned().unwrap_or_default(),
            expected: "one image for all agents",
        })
    }

    /// Returns the services with an image of their own.
    pub(super) fn services(&self) -> impl Iterator<Item = &String> {
        self.by_service.keys()
    }
}

/// Checks the name of an image given with a flag.
pub(super) fn checked(flag: &'static str, image: &str) -> Result<String, ExportError> {
    let is_plain = !image.is_empty() && image.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| image.to_owned()).ok_or_else(|| ExportError::Flag {
        flag,
        value: image.to_owned(),
        expected: "the name of an image such as registry.example/app:1.2",
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
