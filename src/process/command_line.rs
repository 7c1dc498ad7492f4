//! Commands: text for the shell, or a program with its arguments.

use std::fmt;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Text that is passed to the shell with `-c`.
    Shell(String),
    /// A program, searched in PATH unless its name has a slash, and its arguments.
    Arguments(Vec<String>),
}

/// Formats the command as a user would type it into a shell.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text),
            Self::Arguments(arguments) => {
                let quoted: Vec<String> = arguments.iter().map(|part| quoted(part)).collect();
                f.write_str(&quoted.join(" "))
            }
        }
    }
}

fn quoted(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_displayed_quoted_for_a_shell() {
        let arguments = ["python3", "-c", "print('a b')", ""].map(str::to_owned).to_vec();
        let shown = CommandLine::Arguments(arguments).to_string();
        assert_eq!(shown, r"python3 -c 'print('\''a b'\'')' ''");
        assert_eq!(CommandLine::Shell("a | b".into()).to_string(), "a | b");
    }
}
