//! The server's credentials, compared in constant time.

use super::principal::Principal;
use super::tokens::Tokens;
use crate::protocol::Scope;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The credentials that grant access; with none, none are needed.
#[derive(Clone, Default)]
pub struct Credentials {
    single: Option<Tokens>,
    file: Option<Tokens>,
    /// The token of the setting and those of the file.
    tokens: Tokens,
    password: Option<Password>,
}

#[derive(Clone)]
struct Password {
    /// `user:password`.
    pair: String,
    principal: Arc<Principal>,
}

impl Credentials {
    /// Creates credentials from a token for `Authorization: Bearer`, a `user:password` for Basic,
    /// and the tokens of a tokens file.
    #[must_use]
    pub fn new(token: Option<&str>, basic: Option<String>, file: Option<Tokens>) -> Self {
        let password = basic.map(|pair| {
            let user = pair.split_once(':').map_or(&*pair, |(user, _)| user);
            let principal = Arc::new(Principal::named(user, Scope::Run));
            Password { pair, principal }
        });
        let single = token.map(Tokens::of_single);
        let mut credentials = Self { single, file, tokens: Tokens::default(), password };
        credentials.gather();
        credentials
    }

    /// Replaces the tokens of the file. A token that is in both keeps its principal.
    pub(super) fn set_file(&mut self, file: Tokens) {
        self.file = Some(file);
        self.gather();
    }

    fn gather(&mut self) {
        let [single, file] = [&self.single, &self.file].map(|it| it.clone().unwrap_or_default());
        self.tokens = single.with(file, &self.tokens);
    }

    /// Returns whether any credentials are set.
    #[must_use]
    pub fn are_set(&self) -> bool {
        self.has_tokens() || self.password.is_some()
    }

    fn has_tokens(&self) -> bool {
        self.single.is_some() || self.file.is_some()
    }

    /// Returns the `WWW-Authenticate` value for a request without credentials.
    pub(super) fn challenge(&self) -> &'static str {
        match (self.has_tokens(), self.password.is_some()) {
            (true, true) => "Bearer realm=\"llm-shell\", Basic realm=\"llm-shell\"",
            (false, true) => "Basic realm=\"llm-shell\", charset=\"UTF-8\"",
            _ => "Bearer realm=\"llm-shell\"",
        }
    }

    /// Returns the client whose token or password an `Authorization` header contains.
    pub(super) fn find(&self, header: &str) -> Option<Arc<Principal>> {
        let (scheme, sent) = header.split_once(' ')?;
        let sent = sent.trim_start_matches(' ');
        if scheme.eq_ignore_ascii_case("Bearer") {
            return self.find_token(sent);
        }
        let is_basic = scheme.eq_ignore_ascii_case("Basic");
        let decoded = if is_basic { BASE64_STANDARD.decode(sent).ok() } else { None };
        self.find_pair(&decoded?)
    }

    /// Returns the client with this token.
    pub(super) fn find_token(&self, sent: &str) -> Option<Arc<Principal>> {
        self.tokens.find(sent)
    }

    /// Returns the client with this user and this password.
    pub(super) fn find_password(&self, user: &str, password: &str) -> Option<Arc<Principal>> {
        self.find_pair(format!("{user}:{password}").as_bytes())
    }

    fn find_pair(&self, sent: &[u8]) -> Option<Arc<Principal>> {
        let password = self.password.as_ref()?;
        // The time depends on the lengths alone.
        let is_it: bool = password.pair.as_bytes().ct_eq(sent).into();
        is_it.then(|| Arc::clone(&password.principal))
    }

    /// Returns whether these credentials establish this principal.
    pub(super) fn has(&self, principal: &Arc<Principal>) -> bool {
        let is_it = |password: &Password| Arc::ptr_eq(&password.principal, principal);
        self.tokens.has(principal) || self.password.as_ref().is_some_and(is_it)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tokens, password) = (&self.tokens, self.password.is_some());
        let mut shown = out.debug_struct("Credentials");
        shown.field("tokens", tokens).field("password", &password).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_and_the_password_are_valid() {
        let both = Credentials::new(Some("s3cret"), Some("ann:pa:ss".into()), None);
        let name = |header: &str| both.find(header).and_then(|it| it.name.clone());
        for right in ["Bearer s3cret", "bearer  s3cret"] {
            assert_eq!(name(right).as_deref(), Some("LLM_SHELL_TOKEN"), "{right}");
        }
        assert_eq!(name("Basic YW5uOnBhOnNz").as_deref(), Some("ann"));
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
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert!(both.find_password("ann", "pa:ss").is_some());
        assert!(both.find_password("ann", "pa").is_none());
    }

    #[test]
    fn unset_credentials_are_never_valid() {
        let token = Credentials::new(Some("t"), None, None);
        assert!(token.find("Basic ").is_none() && token.find_password("", "").is_none());
        let none = Credentials::default();
        assert!(none.find_token("").is_none() && !none.are_set());
        assert!(Credentials::new(None, None, Some(Tokens::default())).are_set());
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let both = Credentials::new(Some("s3cret"), Some("ann:pass".into()), None);
        let sent = format!("{both:?}");
        assert!(!sent.contains("s3cret") && !sent.contains("pass\""), "{sent}");
    }
}
