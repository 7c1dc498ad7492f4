//! The unit files, checked by systemd.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const UNITS: [&str; 3] =
    ["llm-shell.service", "examples/systemd/astra.service", "examples/systemd/llm-shell.socket"];

/// The maximum exposure of a hardened unit, in tenths (systemd's scale ends at 100).
const EXPOSURE_MAX: &str = "25";

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there")
}

/// Installs the units in a folder, with the path of this binary.
fn installed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let name = Path::new(unit).file_name().unwrap();
        let here = text(unit).replace("/usr/local/bin/llm-shell", env!("CARGO_BIN_EXE_llm-shell"));
        fs::write(folder.path().join(name), here).unwrap();
    }
    folder
}

/// Runs `systemd-analyze`; returns `None` if it is not installed.
fn analyze(arguments: &[&str], folder: &TempDir) -> Option<Output> {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(arguments).current_dir(folder.path()).output();
    output.inspect_err(|error| eprintln!("systemd-analyze: {error}: not tested")).ok()
}

#[test]
fn units_pass_systemd_analyze_verify() {
    let folder = installed();
    let names = UNITS.map(|unit| Path::new(unit).file_name().unwrap().to_str().unwrap());
    let paths = names.map(|name| format!("./{name}"));
    let arguments: Vec<&str> = ["verify"].into_iter().chain(paths.iter().map(|p| &**p)).collect();
    let Some(output) = analyze(&arguments, &folder) else { return };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let of_ours = text.lines().filter(|line| names.iter().any(|name| line.contains(name)));
    assert_eq!(of_ours.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn hardened_unit_has_a_low_exposure() {
    let folder = installed();
    for unit in ["llm-shell.service", "astra.service"] {
        let drop_ins = folder.path().join(format!("etc/systemd/system/{unit}.d"));
        fs::create_dir_all(&drop_ins).unwrap();
        fs::rename(folder.path().join(unit), drop_ins.with_extension("")).unwrap();
        fs::write(drop_ins.join("hardening.conf"), text("examples/systemd/hardening.conf"))
            .unwrap();
        let root = format!("--root={}", folder.path().display());
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let arguments = ["security", "--offline=true", &root, &threshold, "--no-pager", unit];
        let Some(output) = analyze(&arguments, &folder) else { return };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
    }
}

/// The units contain the settings that the server relies on.
#[test]
fn units_have_the_required_settings() {
    for unit in &UNITS[..2] {
        let unit = text(unit);
        for line in ["Type=notify", "WatchdogSec=30", "Delegate=yes", "KillMode=mixed"] {
            assert!(unit.lines().any(|found| found == line), "{line}");
        }
    }
    let socket = text("examples/systemd/llm-shell.socket");
    assert!(socket.contains("ListenStream=127.0.0.1:8000"));
}
