//! Query parameters, read into what they mean or refused with what they should have been.

use crate::ops::Error;
use crate::ops::{fitting_seconds, fitting_wait};
use crate::process::Signal;
use crate::runs::SECONDS_MAX;
use http1::{Problem, Query};
use std::str::FromStr;
use std::time::Duration;

/// A whole number, where it was given.
pub fn count(query: &mut Query, name: &str) -> Result<Option<u64>, Problem> {
    parse(query, name, "a whole number, 0 or more")
}

/// A duration, given in seconds with or without a fraction, at most a day.
pub fn seconds(query: &mut Query, name: &str) -> Result<Option<Duration>, Problem> {
    let number: Option<f64> = parse(query, name, &seconds_wanted())?;
    Ok(fitting_seconds(name, number)?)
}

/// What a number of seconds should have been.
fn seconds_wanted() -> String {
    format!("a number of seconds from 0 to {SECONDS_MAX}")
}

/// Yes or no, where it was given.
pub fn flag(query: &mut Query, name: &str) -> Result<bool, Problem> {
    Ok(word(query, name, &[("true", true), ("false", false)])?.unwrap_or(false))
}

/// A duration to wait, given in seconds, at most ten minutes: most clients give up far earlier.
pub fn wait(query: &mut Query, name: &str) -> Result<Option<Duration>, Problem> {
    let number: Option<f64> = parse(query, name, WAIT_WANTED)?;
    Ok(fitting_wait(name, number)?)
}

/// What a wait should have been.
const WAIT_WANTED: &str = "a number of seconds from 0 to 600";

/// One of the given words, where it was given.
pub fn word<T: Copy>(
    query: &mut Query,
    name: &str,
    words: &[(&str, T)],
) -> Result<Option<T>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    let found = words.iter().find(|(word, _)| *word == given);
    let known = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ");
    found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| refused(name, &given, &known()))
}

/// A signal, where it was given.
pub fn signal(query: &mut Query, name: &str) -> Result<Option<Signal>, Problem> {
    let Some(given) = query.take(name) else { return Ok(None) };
    // The plus of SIGRTMIN+3 is a space in a query, where nobody has encoded it.
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
