//! Browsers that logged in: a random cookie each, kept in memory.

use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::Write;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// The cookie's name.
pub const COOKIE: &str = "llm_shell_session";

/// How long a session lasts.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(12);

/// How many sessions there are at once; over this the oldest ends.
const SESSIONS_MAX: usize = 64;

/// How much chance is in a cookie: 256 bits.
const COOKIE_BYTES: usize = 32;

/// The sessions that last.
#[derive(Default)]
pub struct Sessions(Mutex<Vec<Session>>);

struct Session {
    cookie: String,
    began: Instant,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sessions")
    }
}

impl Sessions {
    /// Begins a session; gives its cookie's value.
    ///
    /// # Errors
    /// When the kernel has no randomness.
    pub fn begin(&self, now: Instant) -> io::Result<String> {
        let mut chance = [0; COOKIE_BYTES];
        // So few bytes come whole, and the call waits for nothing after the machine's start.
        getrandom(&mut chance, GetRandomFlags::empty())?;
        let mut cookie = String::with_capacity(2 * COOKIE_BYTES);
        for byte in chance {
            // Writing to a string cannot fail.
            let _infallible = write!(cookie, "{byte:02x}");
        }
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.remove(0);
        }
        sessions.push(Session { cookie: cookie.clone(), began: now });
        Ok(cookie)
    }

    /// Whether a `Cookie` header holds a session that lasts.
    pub fn has(&self, header: &str, now: Instant) -> bool {
        let shown = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        let shown: Vec<&str> =
            shown.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).collect();
        if shown.is_empty() {
            return false;
        }
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| now.saturating_duration_since(session.began) < SESSION_LIFETIME);
        let is_it = |session: &Session, shown: &str| -> bool {
            session.cookie.as_bytes().ct_eq(shown.as_bytes()).into()
        };
        sessions.iter().any(|session| shown.iter().any(|shown| is_it(session, shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_cookie_while_it_lasts() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = sessions.begin(now).unwrap();
        assert_eq!(cookie.len(), 64);
        let header = format!("other=1; {COOKIE}={cookie}");
        assert!(sessions.has(&header, now));
        for wrong in ["", COOKIE, &format!("{COOKIE}="), &format!("{COOKIE}x={cookie}")] {
            assert!(!sessions.has(wrong, now), "{wrong}");
        }
        assert!(!sessions.has(&header, now + SESSION_LIFETIME));
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.begin(now).unwrap();
        let second = sessions.begin(now).unwrap();
        assert_ne!(first, second);
        (1..SESSIONS_MAX).for_each(|_| drop(sessions.begin(now)));
        assert!(!sessions.has(&format!("{COOKIE}={first}"), now));
        assert!(sessions.has(&format!("{COOKIE}={second}"), now));
    }
}
