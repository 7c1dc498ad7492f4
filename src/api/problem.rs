//! The only map from what went wrong to a status code.

use crate::error::{Error, ErrorKind};
use crate::http::Problem;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            ErrorKind::BadRequest => Self::bad_request(detail),
            ErrorKind::NotFound => Self::not_found(detail),
            ErrorKind::Gone => Self::gone(detail),
            ErrorKind::Conflict => Self::conflict(detail),
            ErrorKind::Unavailable => Self::unavailable(detail),
            ErrorKind::Internal => {
                log::error!("{detail}");
                Self::internal(detail)
            }
        }
    }
}
