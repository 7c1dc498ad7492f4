//! Tokens with scopes: made at random, kept as SHA-256 digests in a file.

use super::principal::Principal;
use crate::protocol::{Scope, is_name};
use rustix::process::{getegid, geteuid};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The random bytes in a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// The maximum size of a tokens file: about 10,000 tokens.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The name of the token in `LLM_SHELL_TOKEN`, which has all scopes.
pub const SINGLE_TOKEN_NAME: &str = "LLM_SHELL_TOKEN";

/// A SHA-256 digest.
type Fingerprint = [u8; 32];

/// Tokens, by their digests.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Entry>);

#[derive(Clone)]
struct Entry {
    fingerprint: Fingerprint,
    principal: Arc<Principal>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.principal.fmt(out)
    }
}

/// The reason why a tokens file cannot be used. No content of the file is repeated: a token may
/// be in it by mistake.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file cannot be read.
    #[error("{} cannot be read ({source})", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// Other users can read or change it.
    #[error("other users can read or change {}: chmod 600", .path.display())]
    ForOthers {
        /// The file.
        path: PathBuf,
    },
    /// A line is invalid.
    #[error("{}: line {line}: {fault}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
}

impl Tokens {
    /// Creates the token of `LLM_SHELL_TOKEN`.
    pub(super) fn of_single(token: &str) -> Self {
        let principal = Arc::new(Principal::named(SINGLE_TOKEN_NAME, Scope::Run));
        Self(vec![Entry { fingerprint: fingerprint(token), principal }])
    }

    /// Reads a tokens file: a line `NAME SCOPE SHA256HEX` for each token, empty lines, and
    /// comments that begin with `#`.
    ///
    /// # Errors
    /// If it cannot be read, others can read or change it, or a line is invalid.
    pub fn read(path: &Path) -> Result<Self, TokensError> {
        let unreadable = |source| TokensError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        if is_for_others(&file.metadata().map_err(unreadable)?) {
            return Err(TokensError::ForOthers { path: path.to_owned() });
        }
        let mut text = String::new();
        let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        if length as u64 > FILE_BYTES_MAX {
            return Err(unreadable(io::Error::other("it is over 1 MiB")));
        }
        Self::parse(&text).map_err(|(line, fault)| {
            let path = path.to_owned();
            TokensError::Line { path, line, fault }
        })
    }

    /// Parses the text of a tokens file. The error is the number of the line and its fault.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut entries = Vec::new();
        let mut lines_of_names = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let entry = Entry::parse(line).map_err(|fault| (number, fault.to_owned()))?;
            let name = entry.principal.name.clone();
            if let Some(first) = lines_of_names.insert(name, number) {
                return Err((number, format!("the name is already on line {first}")));
            }
            entries.push(entry);
        }
        Ok(Self(entries))
    }

    /// Returns the client of a token. Takes the same time for each token of the same length.
    pub(super) fn find(&self, token: &str) -> Option<Arc<Principal>> {
        let sent = fingerprint(token);
        let mut found = None;
        for entry in &self.0 {
            let is_it: Choice = entry.fingerprint.ct_eq(&sent);
            if is_it.into() {
                found = Some(&entry.principal);
            }
        }
        found.cloned()
    }

    /// Adds the tokens of `other`. An entry that is in `before` keeps its principal.
    pub(super) fn with(mut self, other: Self, before: &Self) -> Self {
        self.0.extend(other.0);
        for entry in &mut self.0 {
            if let Some(same) = before.0.iter().find(|it| it.is_same(entry)) {
                entry.principal = Arc::clone(&same.principal);
            }
        }
        self
    }

    /// Returns whether this is the principal of a token.
    pub(super) fn has(&self, principal: &Arc<Principal>) -> bool {
        self.0.iter().any(|entry| Arc::ptr_eq(&entry.principal, principal))
    }

    /// Returns the number of tokens.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, scope, digest] = fields[..] else {
            return Err("expected NAME SCOPE SHA256HEX");
        };
        if !is_name(name) {
            return Err("the name must be letters, digits, `.`, `_` and `-`, 64 at most");
        }
        if name == SINGLE_TOKEN_NAME {
            return Err("the name LLM_SHELL_TOKEN is that of the setting's token");
        }
        let scope = scope_of(scope).ok_or("the scope must be read, operate or run")?;
        let fingerprint = from_hex(digest).ok_or("the digest must be 64 hexadecimal digits")?;
        Ok(Self { fingerprint, principal: Arc::new(Principal::named(name, scope)) })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.principal == other.principal
    }
}

/// A token that was just made.
pub struct NewToken {
    /// The token, for the client.
    pub token: String,
    /// Its line for the tokens file.
    pub line: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("NewToken")
    }
}

impl NewToken {
    /// Makes a token of 256 random bits.
    ///
    /// # Errors
    /// If the kernel has no randomness.
    pub fn make(name: &str, scope: Scope) -> io::Result<Self> {
        let token = random_token()?;
        let line = format!("{name} {scope} {}", hex(&fingerprint(&token)));
        Ok(Self { token, line })
    }
}

/// Returns the scope with this name.
fn scope_of(name: &str) -> Option<Scope> {
    Scope::ALL.iter().find(|scope| scope.as_str() == name).copied()
}

/// Returns 256 random bits as hexadecimal digits.
pub(super) fn random_token() -> io::Result<String> {
    let mut random = [0; TOKEN_BYTES];
    // So few bytes are never returned partially, and the call blocks only early in the boot.
    getrandom(&mut random, GetRandomFlags::empty())?;
    Ok(hex(&random))
}

/// Returns whether other users can read or change a file: by its mode, or because it belongs to
/// one. The server's own group is exempt.
#[must_use]
pub fn is_for_others(metadata: &Metadata) -> bool {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let is_foreign = metadata.uid() != uid && metadata.uid() != 0;
    let bits = if metadata.gid() == gid && gid != 0 { 0o006 } else { 0o066 };
    is_foreign || metadata.mode() & bits != 0
}

fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    let is_whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (index, byte) in bytes.iter_mut().enumerate().filter(|_| is_whole) {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    is_whole.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_found_by_its_line() {
        let [first, second] =
            ["dash", "agent"].map(|name| NewToken::make(name, Scope::Read).unwrap());
        assert_eq!(first.token.len(), 64);
        let text = format!("# tokens\n\n{}\n  {}  \n", first.line, second.line.to_uppercase());
        assert_eq!(Tokens::parse(&text).unwrap_err().0, 4, "READ is no scope");
        let tokens = Tokens::parse(&format!("{}\n{}", first.line, second.line)).unwrap();
        let name = |token: &str| tokens.find(token)?.name.clone();
        assert_eq!(name(&first.token).as_deref(), Some("dash"));
        assert_eq!(name(&second.token).as_deref(), Some("agent"));
        assert_eq!(name(""), None);
        assert_eq!(name(&first.token[1..]), None);
    }

    #[test]
    fn invalid_lines_are_named_without_their_content() {
        let digest = "0".repeat(64);
        for (line, fault) in [
            ("s3cret", "expected NAME SCOPE SHA256HEX"),
            ("a read", "expected NAME"),
            (&*format!("a read {digest} x"), "expected NAME"),
            (&format!("s3cret! read {digest}"), "the name must be"),
            (&format!("a s3cret {digest}"), "the scope must be"),
            ("a read s3cret", "the digest must be"),
            (&format!("LLM_SHELL_TOKEN run {digest}"), "the name LLM_SHELL_TOKEN"),
            (&format!("first read {digest}"), "the name is already on line 1"),
        ] {
            let text = format!("first run {digest}\n{line}\n");
            let (number, said) = Tokens::parse(&text).unwrap_err();
            assert!(number == 2 && said.starts_with(fault), "{line}: {number}: {said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}
