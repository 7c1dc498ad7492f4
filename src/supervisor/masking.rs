//! The masking of secrets in commands and environments that are shown.

use std::collections::BTreeMap;

/// The replacement of a secret.
const MASK: &str = "***";

/// Substrings of names of secrets, in lower case.
const SECRET_WORDS: [&str; 8] =
    ["token", "secret", "pass", "pwd", "key", "credential", "auth", "cookie"];

/// Parts of names of secrets, delimited by characters other than letters and digits: a personal
/// access token, the address of a database or of an error tracker with its password.
const SECRET_PARTS: [&str; 6] = ["pat", "dsn", "webhook", "jwt", "sas", "sig"];

/// Programs that take a password directly after the letter of an option.
const ATTACHED_OPTIONS: [(&str, &str); 6] = [
    ("mariadb", "-p"),
    ("mysql", "-p"),
    ("mysqladmin", "-p"),
    ("mysqldump", "-p"),
    ("sshpass", "-p"),
    ("curl", "-u"),
];

/// Programs that take a password as the word after an option.
const SEPARATE_OPTIONS: [(&str, &str); 8] = [
    ("docker", "-p"),
    ("ldapsearch", "-w"),
    ("mosquitto_pub", "-P"),
    ("mosquitto_sub", "-P"),
    ("podman", "-p"),
    ("redis-cli", "-a"),
    ("sshpass", "-p"),
    ("curl", "-b"),
];

/// Substrings of webhook URLs, whose path is the secret: anyone who has it can post.
const WEBHOOK_PLACES: [&str; 3] = ["://hooks.", "webhook", "://api.telegram.org/bot"];

/// The minimum length of a secret whose value is masked wherever it occurs, in bytes: shorter
/// ones occur in unrelated words.
const SOUGHT_BYTES_MIN: usize = 4;

/// A filter that masks secrets in texts: values after a secret's name, secrets in URLs, and every
/// occurrence of the value of a secret variable.
#[derive(Debug, Default)]
pub struct Masking {
    /// Longest first, so that a shorter value does not split a longer one.
    values: Vec<String>,
}

impl Masking {
    /// Creates a filter with the secrets of an environment.
    #[must_use]
    pub fn of(environment: &BTreeMap<String, Option<String>>) -> Self {
        let secrets = environment.iter().filter(|(name, _)| is_secret_name(name));
        let mut values: Vec<String> = secrets
            .filter_map(|(_, value)| value.clone())
            .filter(|value| value.len() >= SOUGHT_BYTES_MIN)
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// Returns the value of a variable with its secrets masked.
    #[must_use]
    pub fn value(&self, name: &str, value: &str) -> String {
        if is_secret_name(name) { MASK.to_owned() } else { self.text(value) }
    }

    /// Returns arguments with their secrets masked.
    #[must_use]
    pub fn arguments(&self, arguments: &[String]) -> Vec<String> {
        let mut context = Context::default();
        let mut shown = Vec::new();
        for argument in arguments {
            let secret = context.secret_in(argument);
            shown.push(match (argument.split_once('='), argument.split_once(": ")) {
                _ if secret.is_some() => format!("{}{MASK}", &argument[..secret.unwrap_or(0)]),
                // A header.
                (_, Some((name, _))) if is_secret_word(name) => format!("{name}: {MASK}"),
                (Some((name, _)), _) if is_secret_word(name) => format!("{name}={MASK}"),
                _ => self.text(argument),
            });
        }
        shown
    }

    /// Returns a shell command or a URL with its secrets masked.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let (mut context, mut quote) = (Context::default(), None);
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let space = &piece[word.len()..];
            if word.is_empty() {
                shown += space;
                continue;
            }
            if let Some(open) = quote {
                // The rest of a secret with spaces in it.
                if word.ends_with(open) {
                    quote = None;
                }
                continue;
            }
            let begin = context.secret_in(word);
            if word.ends_with(':') && is_secret_name(word) && !word.contains("://") {
                // A header, up to its closing quote, or its next word.
                quote = word.chars().next().filter(|first| matches!(first, '\'' | '"'));
                shown.extend([word, " ", MASK]);
                shown.extend(quote);
                shown += space;
                context.awaits = if quote.is_none() { Awaits::Secret } else { Awaits::Nothing };
                continue;
            }
            let assigned = word.split_once('=').filter(|(name, _)| is_secret_word(name));
            let secret = match (begin, assigned) {
                (Some(begin), _) => {
                    shown.extend([&word[..begin], MASK]);
                    Some(&word[begin..])
                }
                (None, Some((name, value))) => {
                    shown.extend([name, "=", MASK]);
                    Some(value)
                }
                (None, None) => {
                    shown += &shown_url(word);
                    None
                }
            };
            quote = secret.and_then(open_quote);
            shown += space;
        }
        self.values.iter().fold(shown, |shown, value| shown.replace(value.as_str(), MASK))
    }
}

/// Whether a variable or an option with this name is likely to hold a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut parts = name.split(|c: char| !c.is_alphanumeric());
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || parts.any(|part| SECRET_PARTS.contains(&part))
}

/// The context that the words before a word give it.
#[derive(Debug, Default)]
struct Context {
    awaits: Awaits,
    /// Option with which the current program takes a password in the same word.
    attached: Option<&'static str>,
    /// Option after which it takes one as the next word.
    separate: Option<&'static str>,
}

/// The expected meaning of the next word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaits {
    #[default]
    Nothing,
    /// A secret.
    Secret,
    /// A user and a password, separated by a colon.
    UserAndPassword,
}

impl Awaits {
    /// Returns the meaning of the word after this option.
    fn behind(word: &str) -> Self {
        match word {
            "-u" | "--user" | "--proxy-user" => Self::UserAndPassword,
            // `curl -su user:password`
            _ if is_short_options(word) && word.ends_with('u') => Self::UserAndPassword,
            _ if word.starts_with('-') && !word.contains('=') && is_secret_name(word) => {
                Self::Secret
            }
            _ => Self::Nothing,
        }
    }
}

/// Whether a word combines several one-letter options, such as `-su`.
fn is_short_options(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        letters.len() > 1 && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

impl Context {
    /// Returns where a secret begins in a word, according to the words before it and its option.
    fn secret_in(&mut self, word: &str) -> Option<usize> {
        let behind =
            if self.separate == Some(word) { Awaits::Secret } else { Awaits::behind(word) };
        let awaited = std::mem::replace(&mut self.awaits, behind);
        let program = word.rsplit('/').next().unwrap_or_default();
        let option_in = |options: &[(&str, &'static str)]| {
            options.iter().find(|(name, _)| *name == program).map(|(_, option)| *option)
        };
        self.attached = option_in(&ATTACHED_OPTIONS).or(self.attached);
        self.separate = option_in(&SEPARATE_OPTIONS).or(self.separate);
        let is_pair = word.contains(':') && word.contains(char::is_alphabetic);
        match awaited {
            Awaits::Secret if !word.starts_with('-') => return Some(0),
            Awaits::UserAndPassword if is_pair => return Some(0),
            _ => {}
        }
        let option = self.attached?;
        let has_value = word.len() > option.len() && word.starts_with(option);
        has_value.then_some(option.len())
    }
}

/// Returns the quote that a word begins with and does not close.
fn open_quote(word: &str) -> Option<char> {
    let quote = word.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let is_closed = word.len() > 1 && word.ends_with(quote);
    (!is_closed).then_some(quote)
}

/// Whether this is only the name of a secret, neither part of a URL nor a longer text.
fn is_secret_word(name: &str) -> bool {
    !name.contains(char::is_whitespace) && !name.contains("://") && is_secret_name(name)
}

/// Masks the secrets of a URL in a word: user and password, and parameters with secret names.
fn shown_url(word: &str) -> String {
    if let Some(place) = webhook_place(word) {
        return format!("{place}/{MASK}");
    }
    let Some((place, query)) = word.split_once('?').filter(|_| word.contains("://")) else {
        return without_userinfo(word);
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    format!("{}?{}", without_userinfo(place), pairs.collect::<Vec<_>>().join("&"))
}

/// Returns the scheme and host of a URL whose path is a secret.
fn webhook_place(word: &str) -> Option<&str> {
    let lower = word.to_ascii_lowercase();
    WEBHOOK_PLACES.iter().find(|part| lower.contains(**part))?;
    let host = word.find("://")? + "://".len();
    let path = word[host..].find('/')?;
    Some(&word[..host + path])
}

/// Masks the user and the password of a URL in a word.
fn without_userinfo(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#', '\'', '"']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{MASK}{}", &rest[at..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking() -> Masking {
        let variables = [("API_TOKEN", "sesame"), ("PIN_KEY", "12"), ("MODE", "plain")];
        Masking::of(&variables.map(|(n, v)| (n.to_owned(), Some(v.to_owned()))).into())
    }

    #[test]
    fn variables_are_masked_by_name_and_urls_by_userinfo() {
        let masking = masking();
        for name in
            ["API_TOKEN", "db_password", "AWS_SECRET_ACCESS", "SSH_KEY", "GITHUB_PAT", "SENTRY_DSN"]
        {
            assert_eq!(masking.value(name, "x"), MASK, "{name}");
        }
        assert_eq!(masking.value("MODE", "plain"), "plain");
        assert_eq!(masking.value("DB", "postgres://ann:pw@db/x"), "postgres://***@db/x");
        assert_eq!(masking.value("DB", "postgres://db/x@y"), "postgres://db/x@y");
        assert_eq!(masking.value("HEADER", "Bearer sesame"), "Bearer ***");
    }

    #[test]
    fn secrets_in_arguments_are_masked() {
        let given = ["run", "--token", "a b", "--api-key=c d", "-v", "--port", "80", "sesame"];
        let shown = masking().arguments(&given.map(str::to_owned));
        assert_eq!(shown, ["run", "--token", "***", "--api-key=***", "-v", "--port", "80", "***"]);
        let curl = ["curl", "-H", "Authorization: Bearer x y", "https://u:p@h/?api_key=k&a=b=c"];
        let shown = masking().arguments(&curl.map(str::to_owned));
        assert_eq!(shown[2..], ["Authorization: ***", "https://***@h/?api_key=***&a=b=c"]);
        let shell = ["sh", "-c", "cd x; PASSWORD='a b' run http://ann@host/"].map(str::to_owned);
        assert_eq!(masking().arguments(&shell)[2], "cd x; PASSWORD=*** run http://***@host/");
    }

    #[test]
    fn secrets_in_shell_commands_are_masked() {
        for (text, shown) in [
            ("exec serve --port 12", "exec serve --port 12"),
            ("A=1 TOKEN=x serve", "A=1 TOKEN=*** serve"),
            ("TOKEN=\"x y z\" serve -p 1", "TOKEN=*** serve -p 1"),
            ("serve --password  hush  --mode a", "serve --password ***  --mode a"),
            ("curl http://h/?auth=x&y=1", "curl http://h/?auth=***&y=1"),
            ("curl https://u:pw@h/?x=1&token=t", "curl https://***@h/?x=1&token=***"),
            ("curl -H 'Authorization: Bearer abc' h", "curl -H 'Authorization: ***' h"),
            ("curl -H Cookie: abc", "curl -H Cookie: *** ***"),
            ("MYSQL_PWD=x serve", "MYSQL_PWD=*** serve"),
            ("echo sesame | nc", "echo *** | nc"),
            ("mysql -h db -phush app", "mysql -h db -p*** app"),
            ("/usr/bin/mysqldump -p'a b' x", "/usr/bin/mysqldump -p*** x"),
            ("mkdir -pv x", "mkdir -pv x"),
            ("curl -u ann:hush h", "curl -u *** h"),
            ("curl -uann:hush h", "curl -u*** h"),
            ("curl -su ann:hush h", "curl -su *** h"),
            ("sshpass -p hush ssh h", "sshpass -p *** ssh h"),
            ("docker login -p hush h", "docker login -p *** h"),
            ("redis-cli -a hush ping", "redis-cli -a *** ping"),
            ("curl 'https://h/x?sig=hush&y=1'", "curl 'https://h/x?sig=***&y=1'"),
            ("docker run -u 1000:1000 x", "docker run -u 1000:1000 x"),
            ("sudo -u ann x", "sudo -u ann x"),
            ("GITHUB_PAT=x SENTRY_DSN=y serve", "GITHUB_PAT=*** SENTRY_DSN=*** serve"),
            ("serve PATH=/bin", "serve PATH=/bin"),
            ("curl https://hooks.slack.com/services/T/B/x", "curl https://hooks.slack.com/***"),
            ("curl https://discord.com/api/webhooks/1/x?wait=1", "curl https://discord.com/***"),
            ("", ""),
        ] {
            let found = masking().text(text);
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(plain(&found), plain(shown), "{text}");
        }
    }
}
