//! The house keeps its own rules: floors, homes, and lists that agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates beside the program.
const CRATES: [&str; 1] = ["http1"];

/// The rooms from the ground up, the crate http1 among them. One may import those below it, none
/// beside or above it.
const FLOORS: [&[&str]; 10] = [
    &["env_file", "http1", "nearest", "printable", "protocol"],
    &["error", "guarded"],
    &["permits", "process", "logs", "auth"],
    &["manager", "probe"],
    &["supervisor"],
    &["ops"],
    &["api", "client"],
    &["export", "mcp", "settings", "shutdown", "notify"],
    &["app"],
    &["main"],
];

/// Each outside thing, and the rooms that are its home.
const HOMES: [(&str, &[&str]); 15] = [
    ("std::env", &["app"]),
    ("env::", &["app"]),
    ("std::process", &["process", "main"]),
    ("nix::sys::wait", &["process"]),
    ("nix::sys::signal", &["process"]),
    ("pidfd_open", &["process"]),
    ("waitid", &["process"]),
    ("sysinfo", &["process"]),
    ("httparse", &["http1"]),
    ("TcpStream", &["auth", "http1", "probe"]),
    ("ureq", &["probe", "client"]),
    ("OpenOptions", &["logs"]),
    ("http1::", &["http1", "guarded", "auth", "api", "mcp", "app"]),
    ("StatusCode", &["http1", "auth", "api", "mcp"]),
    ("clap::", &["settings"]),
];

struct Source {
    room: String,
    path: String,
    /// The code without comments and without its tests.
    code: String,
    text: String,
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| files_below(folder))).collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// The sources of the program and of its crates.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_crate = |name| sources_below(&root.join("crates").join(name).join("src"), Some(name));
    let program = sources_below(&root.join("src"), None).into_iter();
    program.chain(CRATES.into_iter().flat_map(of_crate)).collect()
}

/// The sources in a folder: all of one room, or those of a room for each module.
fn sources_below(folder: &Path, room: Option<&str>) -> Vec<Source> {
    let read = |path: PathBuf| {
        let inside = path.strip_prefix(folder).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let production = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code = production.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        let path = Path::new(room.unwrap_or_default()).join(inside).display().to_string();
        let room = room.unwrap_or(first.trim_end_matches(".rs")).to_owned();
        Source { room, path, code, text }
    };
    let is_production = |path: &PathBuf| is_rust(path) && !path.ends_with("tests.rs");
    files_below(folder).into_iter().filter(is_production).map(read).collect()
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a source imports, by `crate::room` or `crate::{room, …}`.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut rooms = BTreeSet::new();
    for after in code.split("crate::").skip(1).chain(code.split("llm_shell::").skip(1)) {
        match after.strip_prefix('{') {
            None => rooms.extend([word(after)]),
            Some(list) => {
                let list = list.split(';').next().unwrap();
                rooms.extend(list.split([',', '{', '}']).map(|item| word(item.trim())));
            }
        }
    }
    if code.contains("http1::") {
        rooms.insert("http1".to_owned());
    }
    rooms.retain(|room| floor_of(room).is_some());
    rooms
}

#[test]
fn imports_point_down() {
    for source in sources().iter().filter(|source| source.room != "lib") {
        let floor = floor_of(&source.room);
        let floor = floor.unwrap_or_else(|| panic!("{} is a room without a floor", source.room));
        for room in imports(&source.code).iter().filter(|room| **room != source.room) {
            assert!(floor_of(room).unwrap() < floor, "{} imports {room}", source.path);
        }
    }
}

#[test]
fn crates_know_nothing_of_the_program() {
    for source in sources().iter().filter(|source| CRATES.contains(&&*source.room)) {
        let is_named = source.text.to_lowercase().contains("llm_shell");
        assert!(!is_named, "{} names the program", source.path);
    }
}

#[test]
fn every_outside_thing_has_one_home() {
    for source in sources() {
        for (thing, rooms) in HOMES {
            let uses = source.code.contains(thing);
            assert!(!uses || rooms.contains(&&*source.room), "{} uses {thing}", source.path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_nothing_is_left_to_do() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "{} says nothing of itself", source.path);
        for word in ["TODO", "FIXME", "dbg!", "println!(", "unwrap()", ".expect("] {
            let may = word == "println!(" && source.code.contains("eprintln!(");
            assert!(may || !source.code.contains(word), "{} has {word}", source.path);
        }
        let long = source.text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{} has a long line", source.path);
        assert!(source.text.lines().count() <= 500, "{} is too long", source.path);
    }
}

#[test]
fn every_file_of_the_panel_is_served_short_and_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = fs::read_to_string(root.join("api/panel.rs")).unwrap();
    let files = files_below(&root.join("panel"));
    for path in &files {
        let name = path.strip_prefix(root.join("panel")).unwrap().display().to_string();
        assert!(table.contains(&format!("    \"{name}\",\n")), "{name} is not in the table");
        let text = fs::read_to_string(path).unwrap();
        assert!(text.lines().count() <= 250, "{name} is too long");
        let says = match name.rsplit('.').next().unwrap() {
            "js" => "// ",
            "css" => "/* ",
            _ => "<",
        };
        assert!(text.starts_with(says), "{name} says nothing of itself");
        for word in ["innerHTML", "outerHTML", "insertAdjacent", "eval(", "var ", "console."] {
            assert!(!text.contains(word) || says == "/* ", "{name} has {word}");
        }
    }
    let listed = table.lines().filter(|line| line.starts_with("    \"") && line.ends_with("\","));
    assert_eq!(listed.count(), files.len());
}

#[test]
fn every_fixture_is_used() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = files_below(&tests).into_iter();
    let text: String = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for fixture in files_below(&tests.join("fixtures")) {
        let name = fixture.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(text.contains(&name), "{name} is used by no test");
    }
}
