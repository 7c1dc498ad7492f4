//! The environment variables of a service: plain ones and secrets.

use super::command::literal;
use super::neighbours::Neighbours;
use super::notes::Notes;
use super::pod::{SecretKey, Source, Variable};
use crate::supervisor::{Masking, Service};
use std::collections::BTreeMap;

/// The environment variables of one service.
#[derive(Debug)]
pub(super) struct Environment {
    /// All variables, as a container has them.
    pub variables: Vec<Variable>,
    /// The values of the secret ones.
    pub secrets: BTreeMap<String, String>,
}

impl Environment {
    /// Returns the variables of a service, with secrets stored in the Secret `secret`. `given` is
    /// what `env` and `env_file` add to the environment.
    pub(super) fn of(
        (service, given): (&Service, &BTreeMap<String, Option<String>>),
        neighbours: &Neighbours<'_>,
        secret: &str,
        notes: &mut Notes<'_>,
    ) -> Self {
        let masking = Masking::of(given);
        let mut environment = Self { variables: Vec::new(), secrets: BTreeMap::new() };
        for (name, value) in given {
            let field = format!("env.{name}");
            let Some(value) = value else {
                notes.add(&field, "is left out: a variable set by the image cannot be removed");
                continue;
            };
            if !is_key(name) {
                notes.add(
                    &field,
                    "is left out: a name may only have letters, digits, `_`, `-` and `.`",
                );
                continue;
            }
            let value = neighbours.substitute(value, (service, &field), notes);
            let is_secret = masking.value(name, &value) != value;
            environment.variables.push(if is_secret {
                environment.secrets.insert(name.clone(), value);
                let source = SecretKey { name: secret.to_owned(), key: name.clone() };
                let value_from = Some(Source::SecretKeyRef(source));
                Variable { name: name.clone(), value: None, value_from }
            } else {
                Variable { name: name.clone(), value: Some(literal(&value)), value_from: None }
            });
        }
        environment
    }
}

/// Returns whether this is valid as a variable's name and as a key of a Secret.
fn is_key(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    name.bytes().all(is_plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name != "."
        && !name.starts_with("..")
}
