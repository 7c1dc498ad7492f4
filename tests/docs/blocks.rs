//! Code blocks of a document, and its text without them.

/// A fenced block of code.
#[derive(Debug)]
pub struct Block {
    /// Language: `console`, `sh`, `json`.
    pub language: String,
    /// Attribute after it: `not-run`, or the name of the file in the block.
    pub mark: String,
    pub lines: Vec<String>,
    /// Line number of its first line in the document.
    pub line: usize,
}

impl Block {
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    pub fn is_commands(&self) -> bool {
        ["console", "sh", "bash", "shell"].contains(&&*self.language)
    }

    /// Returns the commands of a `console` block, each with the output shown below it. A line that
    /// begins with `> ` continues the command above it.
    pub fn examples(&self) -> Vec<(String, String)> {
        let mut examples: Vec<(String, String)> = Vec::new();
        for line in &self.lines {
            let more = line.strip_prefix("> ").or((line == ">").then_some(""));
            match (line.strip_prefix("$ "), more, examples.last_mut()) {
                (Some(command), ..) => examples.push((command.to_owned(), String::new())),
                (None, Some(more), Some((command, output))) if output.is_empty() => {
                    *command += "\n";
                    *command += more;
                }
                (None, _, Some((_, output))) => {
                    *output += line;
                    output.push('\n');
                }
                (None, _, None) => panic!("output without a command: {line}"),
            }
        }
        examples
    }
}

/// Returns the blocks of a document, and its text with the blocks replaced by empty lines.
pub fn blocks(document: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut prose) = (Vec::<Block>::new(), Vec::new());
    let mut is_inside = false;
    for (number, line) in document.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match fence {
            Some(_) if is_inside => is_inside = false,
            Some(info) => {
                let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
                let (language, mark) = (language.to_owned(), mark.to_owned());
                blocks.push(Block { language, mark, lines: Vec::new(), line: number + 2 });
                is_inside = true;
            }
            None if is_inside => blocks.last_mut().unwrap().lines.push(line.to_owned()),
            None => {}
        }
        let is_prose = fence.is_none() && !is_inside;
        prose.push(if is_prose { line.to_owned() } else { String::new() });
    }
    assert!(!is_inside, "a block without an end");
    (blocks, prose)
}

#[test]
fn blocks_are_distinguished_from_prose() {
    let document =
        "one\n```console\n$ cat <<E\n> a\n> E\na\n$ true\n```\n```json f.json\n{}\n```\n";
    let (blocks, prose) = blocks(document);
    assert_eq!(prose.concat(), "one");
    let examples = blocks[0].examples();
    let expected = [("cat <<E\na\nE", "a\n"), ("true", "")].map(|(a, b)| (a.into(), b.into()));
    assert_eq!(examples, expected);
    assert_eq!((&*blocks[1].language, &*blocks[1].mark, blocks[1].line), ("json", "f.json", 10));
}
