//! The agent of examples/agent, compared with the page for agents.

use super::root;
use crate::harness::Server;
use std::process::Command;

#[test]
fn agent_fixes_a_build_in_under_ten_calls_and_20_kb() {
    let server = Server::start();
    let to = server.folder().join("examples");
    std::fs::create_dir(&to).unwrap();
    let from = root().join("examples/agent");
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
    let mut agent = Command::new("python3");
    agent.arg("examples/agent/agent.py").arg(format!("http://{}", server.address()));
    let output = agent.current_dir(server.folder()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    let costs: Vec<u32> = stdout
        .lines()
        .next_back()
        .unwrap()
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(costs[0] < 10 && costs[1] < 20 * 1024, "{costs:?}");
}
