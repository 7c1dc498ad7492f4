//! The id of a request, known to its client and in the log.

use crate::head::Head;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The maximum length of a client's own id.
const ID_BYTES_MAX: usize = 64;

/// A generator of ids: eight random digits for the server, and a counter.
#[derive(Debug)]
pub(crate) struct RequestIds {
    server: u64,
    given: AtomicU64,
}

impl RequestIds {
    /// Creates the generator of a server that has just started.
    pub(crate) fn new() -> Self {
        // The seed of the standard hash map is random for each process.
        let random = RandomState::new().hash_one("request ids");
        Self { server: random >> 32, given: AtomicU64::new(0) }
    }

    /// Returns the client's own id if that is 1 to 64 visible ASCII characters, else a fresh one.
    pub(crate) fn of<'b>(&self, head: &Head<'b>) -> Cow<'b, str> {
        let mut headers = head.headers();
        let sent = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
        match sent.and_then(|(_, value)| usable(value)) {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(self.fresh()),
        }
    }

    /// Returns a new id.
    pub(crate) fn fresh(&self) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:08x}-{number}", self.server)
    }
}

fn usable(id: &[u8]) -> Option<&str> {
    let visible = (1..=ID_BYTES_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(id).ok().filter(|_| visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_visible_ids_are_accepted() {
        assert_eq!(usable(b"a-1_{}"), Some("a-1_{}"));
        assert_eq!(usable(&[b'x'; 64]).map(str::len), Some(64));
        for bad in [&b""[..], b"a b", b"a\tb", "\u{e4}".as_bytes(), &[b'x'; 65]] {
            assert_eq!(usable(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn fresh_ids_differ_and_pass_their_own_rule() {
        let ids = RequestIds::new();
        let (one, two) = (ids.fresh(), ids.fresh());
        assert_ne!(one, two);
        assert!(usable(one.as_bytes()).is_some());
    }
}
