//! Commands in the form of containers.

use crate::process::CommandLine;

/// The shell for commands given as text.
const SHELL: &str = "/bin/sh";

/// Returns the program and its arguments.
pub(super) fn argv(command: &CommandLine) -> Vec<String> {
    match command {
        CommandLine::Shell(text) => vec![SHELL.to_owned(), "-c".to_owned(), text.clone()],
        CommandLine::Arguments(arguments) => arguments.clone(),
    }
}

/// Escapes a text so that Kubernetes passes it on unchanged: it expands `$(NAME)`, and turns `$$`
/// into `$`. Other texts need no change.
pub(super) fn literal(text: &str) -> String {
    let is_read = text.contains("$(") || text.contains("$$");
    if is_read { text.replace('$', "$$") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_kubernetes_would_expand_are_escaped() {
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
    fn a_text_runs_in_the_shell() {
        assert_eq!(argv(&CommandLine::Shell("a | b".into())), ["/bin/sh", "-c", "a | b"]);
        assert_eq!(argv(&CommandLine::Arguments(vec!["a".into()])), ["a"]);
    }
}
