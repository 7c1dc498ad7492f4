//! Sessions of pages that logged in: a random token each, kept in memory.

use super::principal::Principal;
use super::tokens::random_token;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long a session lasts.
const SESSION_LIFETIME: Duration = Duration::from_hours(12);

/// The maximum number of sessions; beyond it the oldest ends.
const SESSIONS_MAX: usize = 64;

/// The result of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The token for `Authorization: Bearer`.
    pub token: String,
    /// How long the token is valid.
    pub lifetime: Duration,
    /// The client.
    pub principal: Arc<Principal>,
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
    principal: Arc<Principal>,
    started: Instant,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sessions")
    }
}

impl Sessions {
    /// Starts a session of this client.
    ///
    /// # Errors
    /// If the kernel has no randomness.
    pub fn begin(&self, principal: Arc<Principal>, now: Instant) -> io::Result<Session> {
        let token = random_token()?;
        let mut sessions = self.0.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.remove(0);
        }
        let entry = Entry { token: token.clone(), principal: Arc::clone(&principal), started: now };
        sessions.push(entry);
        Ok(Session { token, lifetime: SESSION_LIFETIME, principal })
    }

    /// Returns the client of an active session, by the session's token.
    pub fn find(&self, token: &str, now: Instant) -> Option<Arc<Principal>> {
        let mut sessions = self.0.lock();
        sessions
            .retain(|session| now.saturating_duration_since(session.started) < SESSION_LIFETIME);
        sessions.iter().find(|it| it.is(token)).map(|session| Arc::clone(&session.principal))
    }

    /// Ends the sessions of all clients but those that `is_valid` selects.
    pub fn retain(&self, is_valid: impl Fn(&Arc<Principal>) -> bool) {
        self.0.lock().retain(|session| is_valid(&session.principal));
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
    use crate::protocol::Scope;

    fn begin(sessions: &Sessions, now: Instant) -> String {
        sessions.begin(Arc::new(Principal::nameless(Scope::Read)), now).unwrap().token
    }

    #[test]
    fn a_token_is_valid_while_its_session_lasts() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let token = begin(&sessions, now);
        assert_eq!(token.len(), 64);
        assert!(sessions.find(&token, now).is_some());
        for wrong in ["", &token[1..], &format!("{token}0")] {
            assert!(sessions.find(wrong, now).is_none(), "{wrong}");
        }
        assert!(sessions.find(&token, now + SESSION_LIFETIME).is_none());
    }

    #[test]
    fn an_ended_session_is_invalid() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| begin(&sessions, now));
        assert!(sessions.end(&first) && !sessions.end(&first));
        assert!(sessions.find(&first, now).is_none() && sessions.find(&second, now).is_some());
    }

    #[test]
    fn the_oldest_session_is_dropped() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| begin(&sessions, now));
        assert_ne!(first, second);
        (1..SESSIONS_MAX).for_each(|_| drop(begin(&sessions, now)));
        assert!(sessions.find(&first, now).is_none() && sessions.find(&second, now).is_some());
    }
}
