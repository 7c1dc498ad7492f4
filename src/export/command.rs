//! A command as a container has it.

use crate::process::CommandLine;

/// The shell that texts are for.
const SHELL: &str = "/bin/sh";

/// The program and its arguments, as they are executed.
pub(super) fn words(command: &CommandLine) -> Vec<String> {
    match command {
        CommandLine::Shell(text) => vec![SHELL.to_owned(), "-c".to_owned(), text.clone()],
        CommandLine::Arguments(arguments) => arguments.clone(),
    }
}

/// A text that Kubernetes gives on as it is: it puts variables in for `$(NAME)`, and one `$` for
/// two. Only texts where that could happen are changed.
pub(super) fn literal(text: &str) -> String {
    let is_read = text.contains("$(") || text.contains("$$");
    if is_read { text.replace('$', "$$") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_would_replace_is_kept() {
        for (text, kept) in [
            ("echo $HOME ${A} $", "echo $HOME ${A} $"),
            ("echo $(date) $HOME", "echo $$(date) $$HOME"),
            ("kill $$", "kill $$$$"),
            ("", ""),
        ] {
            assert_eq!(literal(text), kept, "{text}");
        }
    }

    #[test]
    fn a_text_is_for_the_shell() {
        assert_eq!(words(&CommandLine::Shell("a | b".into())), ["/bin/sh", "-c", "a | b"]);
        assert_eq!(words(&CommandLine::Arguments(vec!["a".into()])), ["a"]);
    }
}
