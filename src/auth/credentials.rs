//! What must be known to get in, compared so that the time tells nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use subtle::ConstantTimeEq;

/// The token and the password that open the server; none of both leaves it open.
#[derive(Clone, Default)]
pub struct Credentials {
    token: Option<String>,
    /// `user:password`.
    basic: Option<String>,
}

impl Credentials {
    /// A token for `Authorization: Bearer`, a `user:password` for Basic.
    #[must_use]
    pub fn new(token: Option<String>, basic: Option<String>) -> Self {
        Self { token, basic }
    }

    /// Whether anything is needed to get in.
    #[must_use]
    pub fn are_needed(&self) -> bool {
        self.token.is_some() || self.basic.is_some()
    }

    /// What a client that shows nothing is asked for: the value of `WWW-Authenticate`.
    pub(super) fn challenge(&self) -> &'static str {
        match (&self.token, &self.basic) {
            (Some(_), Some(_)) => "Bearer realm=\"llm-shell\", Basic realm=\"llm-shell\"",
            (None, Some(_)) => "Basic realm=\"llm-shell\", charset=\"UTF-8\"",
            _ => "Bearer realm=\"llm-shell\"",
        }
    }

    /// Whether an `Authorization` header shows the token or the password.
    pub(super) fn are_right(&self, header: &str) -> bool {
        let Some((scheme, shown)) = header.split_once(' ') else { return false };
        let shown = shown.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("Bearer") {
            return self.has_token(shown);
        }
        let is_basic = scheme.eq_ignore_ascii_case("Basic");
        let decoded = if is_basic { BASE64_STANDARD.decode(shown).ok() } else { None };
        decoded.is_some_and(|decoded| is_same(self.basic.as_deref(), &decoded))
    }

    /// Whether this is the token.
    pub(super) fn has_token(&self, shown: &str) -> bool {
        is_same(self.token.as_deref(), shown.as_bytes())
    }

    /// Whether these are the user and the password.
    pub(super) fn has_password(&self, user: &str, password: &str) -> bool {
        is_same(self.basic.as_deref(), format!("{user}:{password}").as_bytes())
    }
}

/// Whether what was shown is the secret, in a time that depends on the lengths alone.
fn is_same(secret: Option<&str>, shown: &[u8]) -> bool {
    secret.is_some_and(|secret| secret.as_bytes().ct_eq(shown).into())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (token, basic) = (self.token.is_some(), self.basic.is_some());
        out.debug_struct("Credentials").field("token", &token).field("basic", &basic).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_a_password_open_and_nothing_else_does() {
        let both = Credentials::new(Some("s3cret".into()), Some("ann:pa:ss".into()));
        for right in ["Bearer s3cret", "bearer  s3cret", "Basic YW5uOnBhOnNz"] {
            assert!(both.are_right(right), "{right}");
        }
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cret ",
            "Bearer",
            "Bearer ",
            "s3cret",
            "Basic YW5uOnBhOnN6",
            "Basic ???",
            "Basic ",
            "Digest s3cret",
            "",
        ] {
            assert!(!both.are_right(wrong), "{wrong}");
        }
        assert!(both.has_password("ann", "pa:ss") && !both.has_password("ann", "pa"));
    }

    #[test]
    fn what_is_not_set_opens_nothing() {
        let token = Credentials::new(Some("t".into()), None);
        assert!(!token.are_right("Basic "));
        assert!(!token.has_password("", ""));
        assert!(!Credentials::default().has_token(""));
    }

    #[test]
    fn secrets_are_not_shown() {
        let both = Credentials::new(Some("s3cret".into()), Some("ann:pass".into()));
        let shown = format!("{both:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("pass"), "{shown}");
    }
}
