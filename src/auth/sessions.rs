//! Sessions of pages that logged in: a random token each, kept in memory.

use parking_lot::Mutex;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::Write;
use std::io;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long a session lasts.
const SESSION_LIFETIME: Duration = Duration::from_hours(12);

/// The maximum number of sessions; beyond it the oldest ends.
const SESSIONS_MAX: usize = 64;

/// The random bytes in a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// The result of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The token for `Authorization: Bearer`.
    pub token: String,
    /// How long the token is valid.
    pub lifetime: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Session")
    }
}

/// The active sessions.
#[derive(Default)]
pub struct Sessions(Mutex<Vec<Entry>>);

struct Entry {
    token: String,
    started: Instant,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sessions")
    }
}

impl Sessions {
    /// Starts a session.
    ///
    /// # Errors
    /// If the kernel has no randomness.
    pub fn begin(&self, now: Instant) -> io::Result<Session> {
        let mut random = [0; TOKEN_BYTES];
        // So few bytes are never returned partially, and the call blocks only early in the boot.
        getrandom(&mut random, GetRandomFlags::empty())?;
        let mut token = String::with_capacity(2 * TOKEN_BYTES);
        for byte in random {
            // Writing to a string cannot fail.
            let _infallible = write!(token, "{byte:02x}");
        }
        let mut sessions = self.0.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.remove(0);
        }
        sessions.push(Entry { token: token.clone(), started: now });
        Ok(Session { token, lifetime: SESSION_LIFETIME })
    }

    /// Returns whether this is the token of an active session.
    pub fn has(&self, token: &str, now: Instant) -> bool {
        let mut sessions = self.0.lock();
        sessions
            .retain(|session| now.saturating_duration_since(session.started) < SESSION_LIFETIME);
        sessions.iter().any(|session| session.is(token))
    }

    /// Ends the session with this token. Returns whether there was one.
    pub fn end(&self, token: &str) -> bool {
        let mut sessions = self.0.lock();
        let before = sessions.len();
        sessions.retain(|session| !session.is(token));
        sessions.len() < before
    }
}

impl Entry {
    fn is(&self, token: &str) -> bool {
        self.token.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_while_its_session_lasts() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = sessions.begin(now).unwrap().token;
        assert_eq!(token.len(), 64);
        assert!(sessions.has(&token, now));
        for wrong in ["", &token[1..], &format!("{token}0")] {
            assert!(!sessions.has(wrong, now), "{wrong}");
        }
        assert!(!sessions.has(&token, now + SESSION_LIFETIME));
    }

    #[test]
    fn an_ended_session_is_invalid() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| sessions.begin(now).unwrap().token);
        assert!(sessions.end(&first) && !sessions.end(&first));
        assert!(!sessions.has(&first, now) && sessions.has(&second, now));
    }

    #[test]
    fn the_oldest_session_is_dropped() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| sessions.begin(now).unwrap().token);
        assert_ne!(first, second);
        (1..SESSIONS_MAX).for_each(|_| drop(sessions.begin(now)));
        assert!(!sessions.has(&first, now) && sessions.has(&second, now));
    }
}
