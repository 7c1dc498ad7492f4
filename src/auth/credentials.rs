//! The server's credentials, compared in constant time.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use subtle::ConstantTimeEq;

/// The token and the password that grant access; with neither, no credentials are needed.
#[derive(Clone, Default)]
pub struct Credentials {
    token: Option<String>,
    /// `user:password`.
    basic: Option<String>,
}

impl Credentials {
    /// Creates credentials from a token for `Authorization: Bearer` and a `user:password` for
    /// Basic.
    #[must_use]
    pub fn new(token: Option<String>, basic: Option<String>) -> Self {
        Self { token, basic }
    }

    /// Returns whether any credentials are set.
    #[must_use]
    pub fn are_set(&self) -> bool {
        self.token.is_some() || self.basic.is_some()
    }

    /// Returns the `WWW-Authenticate` value for a request without credentials.
    pub(super) fn challenge(&self) -> &'static str {
        match (&self.token, &self.basic) {
            (Some(_), Some(_)) => "Bearer realm=\"llm-shell\", Basic realm=\"llm-shell\"",
            (None, Some(_)) => "Basic realm=\"llm-shell\", charset=\"UTF-8\"",
            _ => "Bearer realm=\"llm-shell\"",
        }
    }

    /// Returns whether an `Authorization` header contains the token or the password.
    pub(super) fn are_valid(&self, header: &str) -> bool {
        let Some((scheme, sent)) = header.split_once(' ') else { return false };
        let sent = sent.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("Bearer") {
            return self.has_token(sent);
        }
        let is_basic = scheme.eq_ignore_ascii_case("Basic");
        let decoded = if is_basic { BASE64_STANDARD.decode(sent).ok() } else { None };
        decoded.is_some_and(|decoded| matches_secret(self.basic.as_deref(), &decoded))
    }

    /// Returns whether this is the token.
    pub(super) fn has_token(&self, sent: &str) -> bool {
        matches_secret(self.token.as_deref(), sent.as_bytes())
    }

    /// Returns whether these are the user and the password.
    pub(super) fn has_password(&self, user: &str, password: &str) -> bool {
        matches_secret(self.basic.as_deref(), format!("{user}:{password}").as_bytes())
    }
}

/// Compares with the secret, in a time that depends on the lengths alone.
fn matches_secret(secret: Option<&str>, sent: &[u8]) -> bool {
    secret.is_some_and(|secret| secret.as_bytes().ct_eq(sent).into())
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
    fn only_the_token_and_the_password_are_valid() {
        let both = Credentials::new(Some("s3cret".into()), Some("ann:pa:ss".into()));
        for right in ["Bearer s3cret", "bearer  s3cret", "Basic YW5uOnBhOnNz"] {
            assert!(both.are_valid(right), "{right}");
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
            assert!(!both.are_valid(wrong), "{wrong}");
        }
        assert!(both.has_password("ann", "pa:ss") && !both.has_password("ann", "pa"));
    }

    #[test]
    fn unset_credentials_are_never_valid() {
        let token = Credentials::new(Some("t".into()), None);
        assert!(!token.are_valid("Basic "));
        assert!(!token.has_password("", ""));
        assert!(!Credentials::default().has_token(""));
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let both = Credentials::new(Some("s3cret".into()), Some("ann:pass".into()));
        let sent = format!("{both:?}");
        assert!(!sent.contains("s3cret") && !sent.contains("pass"), "{sent}");
    }
}
