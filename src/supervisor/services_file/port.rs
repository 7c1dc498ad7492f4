//! The port that a service listens on, derived from its command.

use crate::process::CommandLine;

/// Returns the port in the arguments of a command: `--port N`, `--port=N` or `-p N`.
pub(super) fn port_of(command: &CommandLine) -> Option<u16> {
    let words: Vec<&str> = match command {
        CommandLine::Shell(text) => text.split_whitespace().collect(),
        CommandLine::Arguments(arguments) => arguments.iter().map(String::as_str).collect(),
    };
    let after = |index: usize| match words[index] {
        "--port" | "-p" => words.get(index + 1).copied(),
        word => word.strip_prefix("--port="),
    };
    let ports = (0..words.len()).filter_map(after);
    ports.filter_map(|word| word.parse().ok()).find(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_found_in_the_command() {
        for (text, port) in [
            ("serve --port 8080", Some(8080)),
            ("serve --port=8080 -v", Some(8080)),
            ("serve -p 80", Some(80)),
            ("serve -p 80:90 --port 8080", Some(8080)),
            ("serve --port 0", None),
            ("serve --port", None),
            ("serve --port $PORT", None),
            ("serve --ports 80", None),
            ("serve 80", None),
        ] {
            assert_eq!(port_of(&CommandLine::Shell(text.into())), port, "{text}");
            let arguments = text.split(' ').map(str::to_owned).collect();
            assert_eq!(port_of(&CommandLine::Arguments(arguments)), port, "{text}");
        }
    }
}
