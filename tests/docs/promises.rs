//! Tests named in documents must exist.

use super::{documents, read, root};
use regex::Regex;
use std::fs;
use std::path::Path;

/// The pages with tables of guarantees and their tests.
const PAGES: [&str; 3] = ["docs/GUARANTEES.md", "SECURITY.md", "docs/RELIABILITY.md"];

/// The files of a module M that may have tests.
const PLACES: [&str; 5] =
    ["tests/M.rs", "tests/M/mod.rs", "src/M.rs", "src/M/mod.rs", "src/M/tests.rs"];

/// Returns the tests named in a document, as `area::file::name`. `…::name` is in the file of the
/// test named before it.
fn named(document: &str) -> Vec<String> {
    let name = Regex::new(r"`((?:…|[a-z0-9_]+)(?:::[a-z0-9_]+)*::(?:[a-z0-9_]+|\*))`").unwrap();
    let mut last = String::new();
    let mut names = Vec::new();
    for found in name.captures_iter(document) {
        let whole = match found[1].strip_prefix("…::") {
            Some(rest) => format!("{}::{rest}", last.rsplit_once("::").unwrap().0),
            None => found[1].to_owned(),
        };
        last.clone_from(&whole);
        names.push(whole);
    }
    names
}

/// Whether a test exists: in a file of an area of `tests`, or next to the code that it tests; for
/// `http1::…` in that crate.
fn is_a_test(name: &str) -> bool {
    let (module, test) = name.rsplit_once("::").unwrap();
    let module = module.replace("::tests", "").replace("::", "/");
    let (module, places) = match module.strip_prefix("http1/") {
        Some(module) => (module, &["crates/http1/tests/server/M.rs", "crates/http1/src/M.rs"][..]),
        None => (&*module, &PLACES[..]),
    };
    let mut files = places.iter().map(|place| root().join(place.replace('M', module)));
    files.any(|file| has_test(&file, test))
}

fn has_test(file: &Path, test: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let wanted = match test {
        "*" => "fn [a-z0-9_]+".to_owned(),
        test => format!("fn {test}"),
    };
    let attributes = r"#\[test\]\n(?:\s*#\[[^\n]*\n)*\s*";
    Regex::new(&format!(r"{attributes}{wanted}\(")).unwrap().is_match(&text)
}

#[test]
fn tests_named_in_documents_exist() {
    let all = documents().into_iter().flat_map(|document| {
        let names = named(&read(&document)).into_iter();
        names.map(move |name| (document.clone(), name)).collect::<Vec<_>>()
    });
    let lost: Vec<_> = all.filter(|(_, name)| !is_a_test(name)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn guarantees_name_a_test_or_a_reason() {
    for page in PAGES {
        assert!(named(&read(page)).len() > 10, "{page}");
    }
    let promises = read("docs/GUARANTEES.md");
    let (promised, not_promised) = promises.split_once("\n## Limits\n").unwrap();
    let rows = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with("| ") && !line.contains("---"));
        rows.map(str::to_owned).collect()
    };
    for row in rows(promised).iter().filter(|row| !row.starts_with("| guarantee |")) {
        assert!(!named(row).is_empty(), "no test for this: {row}");
    }
    for row in rows(not_promised) {
        assert_eq!(row.matches(" | ").count(), 3, "what, why, what happens and its test: {row}");
    }
    assert!(rows(promised).len() > 30 && rows(not_promised).len() > 10);
}

#[test]
fn test_names_are_found_in_a_text() {
    let text = "| a | `shell::ending::one`, `…::two`, `http1::alone::*` and `--flag`, `std::x y` |";
    let expected = ["shell::ending::one", "shell::ending::two", "http1::alone::*"];
    assert_eq!(named(text), expected);
    assert!(is_a_test("docs::promises::test_names_are_found_in_a_text"));
    assert!(
        is_a_test("http1::alone::*") && is_a_test("http1::head::tests::targets_are_paths_or_urls")
    );
    assert!(!is_a_test("docs::promises::is_a_test"));
}

#[test]
fn files_named_in_documents_exist() {
    let folders = "src|crates|tests|docs|benches|examples|fuzz";
    let path = Regex::new(&format!(r"`((?:{folders})/[\w./-]*\w/?)`")).unwrap();
    for document in documents() {
        for found in path.captures_iter(&read(&document)) {
            assert!(root().join(&found[1]).exists(), "{document} names {}", &found[1]);
        }
    }
}
