//! The mapping from errors to status codes.

use crate::error::{Error, ErrorKind};
use http1::{HeaderValue, Problem, header};

/// The `Retry-After` of an answer to too many requests, in seconds.
const RETRY_SECONDS: u16 = 1;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let problem = match error.kind() {
            ErrorKind::BadRequest => Self::bad_request(detail),
            ErrorKind::Forbidden => Self::forbidden(detail),
            ErrorKind::NotFound => Self::not_found(detail),
            ErrorKind::Gone => Self::gone(detail),
            ErrorKind::Conflict => Self::conflict(detail),
            ErrorKind::Unavailable => Self::unavailable(detail),
            // The client has left, so the answer is not read; nothing has failed.
            ErrorKind::Internal if error.is_of_client_that_left() => Self::internal(detail),
            ErrorKind::Internal => {
                log::error!("{detail}");
                Self::internal(detail)
            }
        };
        match error {
            Error::TooManyRequests { .. } => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
            }
            _ => problem,
        }
    }
}
