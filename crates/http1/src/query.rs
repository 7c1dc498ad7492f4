//! The query parameters, each taken once by its name.

use crate::limits::QUERY_PARAMETERS_MAX;
use crate::problem::Problem;
use percent_encoding::percent_decode;

/// The maximum number of characters of a client's parameter name that a message repeats.
const NAME_SHOWN_CHARS_MAX: usize = 64;

/// The query of a request: a route takes what it knows, and [`Query::finish`] refuses the rest.
#[derive(Debug, Default)]
pub struct Query {
    left: Vec<(String, String)>,
    known: Vec<String>,
}

impl Query {
    /// Parses the text after the `?`, without repeated parameters; `None` if there is none. Does
    /// not block.
    ///
    /// # Errors
    /// Those of [`Self::parse_with_repeated`].
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        Self::parse_with_repeated(text, &[])
    }

    /// Parses the text after the `?`; `None` if there is none. Does not block.
    ///
    /// # Errors
    /// 400 for a repeated parameter that is not in `repeatable`, for bytes that are not UTF-8, and
    /// for more than 100 parameters.
    pub(crate) fn parse_with_repeated(
        text: Option<&str>,
        repeatable: &[&str],
    ) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        if percent_decode(text.as_bytes()).decode_utf8().is_err() {
            return Err(Problem::bad_request(
                "The query is not UTF-8 when percent-decoded: encode it as UTF-8.",
            ));
        }
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
        let left: Vec<_> = pairs.take(QUERY_PARAMETERS_MAX + 1).collect();
        if left.len() > QUERY_PARAMETERS_MAX {
            return Err(Problem::bad_request(format!(
                "The query has more than {QUERY_PARAMETERS_MAX} parameters: send fewer."
            )));
        }
        reject_repeated(&left, repeatable)?;
        Ok(Self { left, known: Vec::new() })
    }

    /// Takes the value of `name`, decoded; `None` if it was not sent (or was taken before).
    pub fn take(&mut self, name: &str) -> Option<String> {
        if self.left.is_empty() {
            return None;
        }
        self.known.push(name.to_owned());
        let index = self.left.iter().position(|(sent, _)| sent == name)?;
        Some(self.left.remove(index).1)
    }

    /// Takes all values of `name`, decoded, in their order.
    pub fn take_all(&mut self, name: &str) -> Vec<String> {
        self.known.push(name.to_owned());
        let taken = self.left.extract_if(.., |(sent, _)| sent == name);
        taken.map(|(_, value)| value).collect()
    }

    /// Checks that every parameter was taken.
    ///
    /// # Errors
    /// 400 for a parameter that was not taken: the message names it, and the parameters that the
    /// route asked for.
    pub fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else {
            return Ok(());
        };
        let advice = match self.known.as_slice() {
            [] => "this route takes none, so omit it".to_owned(),
            known => format!("this route accepts {}", known.join(", ")),
        };
        Err(Problem::bad_request(format!("Unknown query parameter {}: {advice}.", shown(name))))
    }
}

fn reject_repeated(pairs: &[(String, String)], repeatable: &[&str]) -> Result<(), Problem> {
    for (index, (name, _)) in pairs.iter().enumerate() {
        if !repeatable.contains(&name.as_str())
            && pairs[..index].iter().any(|(earlier, _)| earlier == name)
        {
            return Err(Problem::bad_request(format!(
                "The query parameter {} is repeated: send it only once.",
                shown(name)
            )));
        }
    }
    Ok(())
}

/// Quotes, escapes and truncates a client's parameter name for a message.
fn shown(name: &str) -> String {
    let truncated: String = name.chars().take(NAME_SHOWN_CHARS_MAX).collect();
    format!("{truncated:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text)).expect("a good query")
    }

    fn detail(result: Result<impl std::fmt::Debug, Problem>) -> String {
        let problem = result.expect_err("a refusal");
        assert_eq!(problem.status().as_u16(), 400);
        problem.detail().to_owned()
    }

    #[test]
    fn values_are_decoded() {
        let mut query = query("grep=a%2Bb+c&empty=&bare&u=%D0%B6");
        assert_eq!(query.take("grep").as_deref(), Some("a+b c"));
        assert_eq!(query.take("empty").as_deref(), Some(""));
        assert_eq!(query.take("bare").as_deref(), Some(""));
        assert_eq!(query.take("u").as_deref(), Some("ж"));
        assert_eq!(query.take("absent"), None);
        assert!(query.finish().is_ok());
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_known_ones() {
        let mut query = query("lnes=5&seconds=3");
        query.take("lines");
        query.take("seconds");
        let detail = detail(query.finish());
        assert_eq!(detail, "Unknown query parameter \"lnes\": this route accepts lines, seconds.");
    }

    #[test]
    fn a_route_without_parameters_refuses_all() {
        let detail = detail(query("a=1").finish());
        assert!(detail.contains("takes none"), "{detail}");
    }

    #[test]
    fn a_repeated_parameter_is_refused_by_name() {
        let detail = detail(Query::parse(Some("a=1&lines=1&lines=2")));
        assert!(detail.contains("\"lines\" is repeated"), "{detail}");
    }

    #[test]
    fn a_name_is_repeated_escaped_and_short() {
        let detail = detail(query(&format!("%0a{}=1", "x".repeat(1000))).finish());
        assert!(detail.contains("\\nxxx") && detail.len() < 200, "{detail}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused() {
        for bad in ["a=%ff", "%ff=a", "a=%D0&b=%B6", "a=%C0%80"] {
            assert!(detail(Query::parse(Some(bad))).contains("UTF-8"), "{bad}");
        }
    }

    #[test]
    fn at_most_a_hundred_parameters_are_accepted() {
        let many = |count: usize| {
            (0..count).map(|number| format!("p{number}=1")).collect::<Vec<_>>().join("&")
        };
        assert!(Query::parse(Some(&many(100))).is_ok());
        assert!(detail(Query::parse(Some(&many(101)))).contains("more than 100"));
    }

    #[test]
    fn no_query_and_an_empty_one_are_the_same() {
        for text in [None, Some(""), Some("&&")] {
            assert!(Query::parse(text).expect("empty").finish().is_ok());
        }
    }
}
