//! Query parameters: parsed, or refused with what is expected.

use crate::ops::{self, Error, Until, fitting_seconds, fitting_wait, refuse_first};
use crate::process::Signal;
use crate::runs::SECONDS_MAX;
use chrono::{DateTime, Datelike, Utc};
use http1::{Problem, Query, Request};
use std::str::FromStr;
use std::time::Duration;

/// Takes a whole number, if given.
pub fn count(query: &mut Query, name: &str) -> Result<Option<u64>, Problem> {
    parse(query, name, "a whole number, 0 or more")
}

/// Takes a duration in seconds, with or without a fraction, at most a day.
pub fn seconds(query: &mut Query, name: &str) -> Result<Option<Duration>, Problem> {
    let number: Option<f64> = parse(query, name, &seconds_wanted())?;
    Ok(fitting_seconds(name, number)?)
}

/// Describes a valid number of seconds.
fn seconds_wanted() -> String {
    format!("a number of seconds from 0 to {SECONDS_MAX}")
}

/// Takes an instant.
pub fn instant(query: &mut Query, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    // The plus of +01:00 decodes to a space if the client did not encode it.
    let zone_plus = given.rfind(' ').filter(|at| *at > "2026-01-02 ".len());
    let text = match zone_plus {
        Some(at) => format!("{}+{}", &given[..at], &given[at + 1..]),
        None => given.clone(),
    };
    let read = DateTime::parse_from_rfc3339(&text).map(|instant| instant.to_utc());
    // Other years have another form in a log.
    let fits = |instant: &DateTime<Utc>| (0..10_000).contains(&instant.year());
    let wanted = "an instant in RFC 3339 such as 2026-01-02T03:04:05Z";
    read.ok().filter(fits).map(Some).ok_or_else(|| refused(name, &given, wanted))
}

/// Takes `true` or `false`; false if not given.
pub fn flag(query: &mut Query, name: &str) -> Result<bool, Problem> {
    Ok(choice(query, name, &[("true", true), ("false", false)])?.unwrap_or(false))
}

/// Takes a wait in seconds, at most ten minutes: most clients give up far earlier.
pub fn wait(query: &mut Query, name: &str) -> Result<Option<Duration>, Problem> {
    let number: Option<f64> = parse(query, name, WAIT_WANTED)?;
    Ok(fitting_wait(name, number)?)
}

/// Takes what ends a wait, if given.
pub fn until(
    query: &mut Query,
    wait: Option<Duration>,
    client: &Request<'_>,
) -> Result<Option<Until>, Problem> {
    let until = query.take("until");
    Ok(until_of(until.as_deref(), wait, client)?)
}

/// Parses what ends a wait, if given.
pub fn until_of(
    until: Option<&str>,
    wait: Option<Duration>,
    client: &Request<'_>,
) -> ops::Result<Option<Until>> {
    let Some(until) = until else { return Ok(None) };
    let until = Until::parse(until, client)?;
    refuse_first(&[(wait.is_none(), "until needs wait: give the longest time to wait")])?;
    Ok(Some(until))
}

/// Describes a valid wait.
const WAIT_WANTED: &str = "a number of seconds from 0 to 600";

/// Takes one of several named choices, if given.
pub fn choice<T: Copy>(
    query: &mut Query,
    name: &str,
    choices: &[(&str, T)],
) -> Result<Option<T>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    let found = choices.iter().find(|(choice, _)| *choice == given);
    let known = || choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(" or ");
    found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| refused(name, &given, &known()))
}

/// Takes a signal, if given.
pub fn signal(query: &mut Query, name: &str) -> Result<Option<Signal>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    // The plus of SIGRTMIN+3 decodes to a space if the client did not encode it.
    let read = given.replace(' ', "+").parse();
    read.map(Some).map_err(|wanted: String| refused(name, &given, &wanted))
}

fn parse<T: FromStr>(query: &mut Query, name: &str, wanted: &str) -> Result<Option<T>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    given.parse().map(Some).map_err(|_| refused(name, &given, wanted))
}

fn refused(name: &str, given: &str, wanted: &str) -> Problem {
    Error::Invalid(format!("The parameter {name} is {given:?}: give {wanted}.")).into()
}
