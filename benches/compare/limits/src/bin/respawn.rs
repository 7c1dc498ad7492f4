//! The floor of a restart: spawn, wait, and again. `respawn -- COMMAND`

use limits::command;
use std::io;
use std::process::{Command, Stdio};

fn main() -> io::Result<()> {
    let command = command();
    loop {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.wait()?;
    }
}
