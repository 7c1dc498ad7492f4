//! A parser of the Dockerfile.

use std::path::Path;

/// An instruction, with continued lines joined.
#[derive(Debug)]
pub struct Instruction {
    pub word: String,
    pub rest: String,
}

/// The image that the Dockerfile describes.
pub struct Dockerfile {
    /// Arguments before the first stage.
    pub arguments: Vec<Instruction>,
    /// Stages, each beginning with FROM.
    pub stages: Vec<Vec<Instruction>>,
}

impl Dockerfile {
    pub fn read() -> Self {
        let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        let mut file = Self { arguments: Vec::new(), stages: Vec::new() };
        for line in joined.lines().filter(|line| !line.trim().is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap();
            let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            let instruction = Instruction { word: word.to_owned(), rest: file.expanded(rest) };
            match (&*instruction.word, file.stages.last_mut()) {
                ("FROM", _) => file.stages.push(vec![instruction]),
                (_, Some(stage)) => stage.push(instruction),
                (_, None) => file.arguments.push(instruction),
            }
        }
        file
    }

    /// Replaces arguments in a text with their defaults.
    fn expanded(&self, text: String) -> String {
        let each = self.arguments.iter().map(|argument| argument.rest.split_once('=').unwrap());
        each.fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    /// Returns the arguments of all such instructions of the last stage.
    pub fn all(&self, word: &str) -> Vec<&str> {
        let stage = self.stages.last().unwrap().iter();
        stage.filter(|found| found.word == word).map(|found| &*found.rest).collect()
    }

    /// Returns the arguments of the only such instruction.
    #[track_caller]
    pub fn only(&self, word: &str) -> &str {
        let all = self.all(word);
        assert_eq!(all.len(), 1, "{word}: {all:?}");
        all[0]
    }

    /// Returns the names and values of ENV.
    pub fn environment(&self) -> Vec<(&str, &str)> {
        let pairs = self.all("ENV").into_iter().flat_map(|rest| rest.split(' '));
        pairs.map(|pair| pair.split_once('=').unwrap()).collect()
    }

    /// Returns the arguments of an instruction in exec form, without its options.
    #[track_caller]
    pub fn exec(&self, word: &str) -> Vec<String> {
        let rest = self.only(word);
        serde_json::from_str(&rest[rest.find('[').unwrap()..]).unwrap()
    }

    /// Returns the RUN that creates the user and the directories.
    pub fn making_of_the_user(&self) -> &str {
        self.all("RUN").into_iter().find(|run| run.contains("useradd")).unwrap()
    }

    /// Returns the sources of COPY, over all stages.
    pub fn copied<'a>(&'a self) -> Vec<&'a str> {
        let copies = self.stages.iter().flatten().filter(|found| found.word == "COPY");
        let from_outside = copies.filter(|copy| !copy.rest.starts_with("--from="));
        let sources = |copy: &'a Instruction| copy.rest.rsplit(' ').skip(1);
        from_outside.flat_map(sources).collect()
    }
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
