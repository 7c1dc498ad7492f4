//! The only map from what went wrong to a status code.

use crate::error::{Error, ErrorKind};
use crate::http::Problem;
use std::io;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (detail, for_tools) = (error.to_string(), error.for_tools());
        let problem = match error.kind() {
            ErrorKind::BadRequest => Self::bad_request(detail),
            ErrorKind::NotFound => Self::not_found(detail),
            ErrorKind::Gone => Self::gone(detail),
            ErrorKind::Conflict => Self::conflict(detail),
            ErrorKind::Unavailable => Self::unavailable(detail),
            // Nobody reads this, and nothing has failed.
            ErrorKind::Internal if is_of_client_that_left(&error) => Self::internal(detail),
            ErrorKind::Internal => {
                log::error!("{detail}");
                Self::internal(detail)
            }
        };
        problem.with_tool_detail(for_tools)
    }
}

/// Whether it ended the search for a client that did not wait for the answer.
fn is_of_client_that_left(error: &Error) -> bool {
    matches!(error, Error::Log { source, .. } if source.kind() == io::ErrorKind::ConnectionAborted)
}
