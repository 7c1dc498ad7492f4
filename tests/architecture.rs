//! Rules of the source: layers, use of external APIs, file sizes, and leftovers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates next to the program.
const CRATES: [&str; 1] = ["http1"];

/// The layers from the bottom up: modules, and the crate http1. A module may import those of lower
/// layers, none of its own or of a higher one.
const LAYERS: [&[&str]; 10] = [
    &["env_file", "http1", "nearest", "printable", "protocol", "syscall"],
    &["error", "event_log", "catch_panic", "keys"],
    &["permits", "process", "logs", "auth"],
    &["runs", "probe"],
    &["supervisor"],
    &["ops"],
    &["api", "client"],
    &["export", "mcp", "settings", "shutdown"],
    &["app"],
    &["main"],
];

/// APIs and libraries, and the modules that may use them.
const ALLOWED_IN: [(&str, &[&str]); 15] = [
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
    ("http1::", &["http1", "catch_panic", "auth", "api", "mcp", "app"]),
    ("StatusCode", &["http1", "auth", "api", "mcp"]),
    ("clap::", &["settings"]),
];

struct Source {
    module: String,
    path: String,
    /// Code without comments and tests.
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

/// Returns the sources of the program and of its crates.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_crate = |name| sources_below(&root.join("crates").join(name).join("src"), Some(name));
    let program = sources_below(&root.join("src"), None).into_iter();
    program.chain(CRATES.into_iter().flat_map(of_crate)).collect()
}

/// Returns the sources in a folder, as one module or as one module per entry.
fn sources_below(folder: &Path, module: Option<&str>) -> Vec<Source> {
    let read = |path: PathBuf| {
        let inside = path.strip_prefix(folder).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let production = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code = production.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        let path = Path::new(module.unwrap_or_default()).join(inside).display().to_string();
        let module = module.unwrap_or(first.trim_end_matches(".rs")).to_owned();
        Source { module, path, code, text }
    };
    let is_production = |path: &PathBuf| is_rust(path) && !path.ends_with("tests.rs");
    files_below(folder).into_iter().filter(is_production).map(read).collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Returns the modules that a source imports, by `crate::module` or `crate::{module, …}`.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut modules = BTreeSet::new();
    for after in code.split("crate::").skip(1).chain(code.split("llm_shell::").skip(1)) {
        match after.strip_prefix('{') {
            None => modules.extend([word(after)]),
            Some(list) => {
                let list = list.split(';').next().unwrap();
                modules.extend(list.split([',', '{', '}']).map(|item| word(item.trim())));
            }
        }
    }
    if code.contains("http1::") {
        modules.insert("http1".to_owned());
    }
    modules.retain(|module| layer_of(module).is_some());
    modules
}

#[test]
fn imports_follow_the_layers() {
    // The imports of crates are checked by `crates_do_not_depend_on_the_program`.
    let is_checked =
        |source: &&Source| source.module != "lib" && !CRATES.contains(&&*source.module);
    for source in sources().iter().filter(is_checked) {
        let layer = layer_of(&source.module);
        let layer = layer.unwrap_or_else(|| panic!("{} has no layer", source.module));
        for module in imports(&source.code).iter().filter(|module| **module != source.module) {
            assert!(layer_of(module).unwrap() < layer, "{} imports {module}", source.path);
        }
    }
}

#[test]
fn crates_do_not_depend_on_the_program() {
    for source in sources().iter().filter(|source| CRATES.contains(&&*source.module)) {
        let is_named = source.text.to_lowercase().contains("llm_shell");
        assert!(!is_named, "{} names the program", source.path);
    }
}

#[test]
fn external_apis_are_used_only_in_their_modules() {
    for source in sources() {
        for (api, modules) in ALLOWED_IN {
            let uses = source.code.contains(api);
            assert!(!uses || modules.contains(&&*source.module), "{} uses {api}", source.path);
        }
    }
}

#[test]
fn source_files_have_docs_and_no_leftovers() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "{} begins without a description", source.path);
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
fn panel_files_are_documented_short_and_served() {
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
        assert!(text.starts_with(says), "{name} begins without a description");
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

/// Words that the project does without: metaphors of its own where the field has a term, and
/// mistakes. CONTRIBUTING.md says how to write instead.
const BANNED_WORDS: [&str; 16] = [
    "a LLM",
    "asker",
    "birth",
    "desk",
    "guest",
    "hurried",
    "hurry",
    "mend",
    "mended",
    "roof",
    "seat",
    "seats",
    "stranger",
    "strangers",
    "told",
    "unborn",
];

/// The text of every file that people read: sources, panel, documentation. Pages of measurements are
/// left out, because a run writes them.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_below(&root.join("src"));
    files.extend(CRATES.iter().flat_map(|name| files_below(&root.join("crates").join(name))));
    files.extend(files_below(&root.join("docs")));
    files.extend(fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()));
    let is_text = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_measured = ["BENCHMARKS.md", "PEERS.md"].iter().any(|name| path.ends_with(name));
        extension.is_some_and(|it| ["rs", "md", "js", "css", "html", "toml"].contains(&it))
            && !is_measured
    };
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().filter(is_text).map(read).collect()
}

#[test]
fn banned_words_are_not_used() {
    let pattern = format!(r"(?i)\b({})\b", BANNED_WORDS.join("|"));
    let pattern = regex::Regex::new(&pattern).unwrap();
    let mut found = Vec::new();
    for (name, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            let words = pattern.find_iter(line);
            found.extend(words.map(|word| format!("{name}:{}: {}", index + 1, word.as_str())));
        }
    }
    assert!(found.is_empty(), "{} words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn test_names_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "crates", "tests"].map(|name| files_below(&root.join(name)));
    let name = regex::Regex::new(r"#\[test\]\s+(?:#\[[^\]]*\]\s+)*fn (\w+)").unwrap();
    for path in files.into_iter().flatten().filter(|path| is_rust(path)) {
        let text = fs::read_to_string(&path).unwrap();
        for found in name.captures_iter(&text) {
            assert!(found[1].len() <= 60, "{}: {} is too long", path.display(), &found[1]);
        }
    }
}
