//! Checks of links and other references in the documents.

use super::blocks::blocks;
use super::{documents, read, root};
use regex::Regex;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Returns the anchors of headings, as GitHub generates them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = blocks(document).1.into_iter();
    headings.filter(|line| line.starts_with('#')).map(|line| anchor(&line)).collect()
}

fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

/// Removes `.` and `..` from a path.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => assert!(plain.pop(), "{} leads out", path.display()),
            part => plain.push(part),
        }
        plain
    })
}

/// Returns the error of a link of a document, if it has one.
fn fault(document: &str, link: &str) -> Option<String> {
    let (path, place) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap();
    let target = match path {
        "" => PathBuf::from(document),
        path => plain(&folder.join(path)),
    };
    if !root().join(&target).exists() {
        return Some(format!("{document}: {link}: there is no {}", target.display()));
    }
    let is_there = place.is_empty() || anchors(&read(target.to_str().unwrap())).contains(place);
    (!is_there).then(|| format!("{document}: {link}: {} has no such heading", target.display()))
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let (mut faults, mut count) = (Vec::new(), 0);
    for document in documents() {
        let prose = blocks(&read(&document)).1.join("\n");
        let links = link.captures_iter(&prose).map(|found| found[1].to_owned());
        let local: Vec<_> = links.filter(|link| !link.contains("://")).collect();
        count += local.len();
        faults.extend(local.iter().filter_map(|link| fault(&document, link)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 60, "{count}");
}

#[test]
fn every_document_is_reachable_from_the_readme() {
    let md = Some(OsStr::new("md"));
    let link = Regex::new(r"\]\(([^)#\s]+)").unwrap();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut ahead = vec!["README.md".to_owned()];
    while let Some(page) = ahead.pop() {
        let folder = Path::new(&page).parent().unwrap().to_owned();
        let text = read(&page);
        let links = link.captures_iter(&text).map(|found| found[1].to_owned());
        let is_page = |link: &String| !link.contains("://") && Path::new(link).extension() == md;
        for target in links.filter(is_page) {
            let target = plain(&folder.join(target)).display().to_string();
            if reached.insert(target.clone()) {
                ahead.push(target);
            }
        }
    }
    // The documents of the example are content for its search.
    let wanted = documents().into_iter().filter(|path| !path.starts_with("examples/astra/doc"));
    let lost: Vec<_> = wanted.filter(|path| !reached.contains(path)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn documented_make_targets_exist() {
    let makefile = read("Makefile");
    let named = Regex::new("`(?:make ([a-z][a-z-]+))").unwrap();
    for document in documents() {
        for found in named.captures_iter(&read(&document)) {
            let target = format!("\n{}:", &found[1]);
            assert!(makefile.contains(&target), "{document}: make {}", &found[1]);
        }
    }
}

#[test]
fn heading_anchors_match_github() {
    assert_eq!(anchor("## From the command line"), "from-the-command-line");
    assert_eq!(anchor("### What `ctl` says, and why"), "what-ctl-says-and-why");
}
