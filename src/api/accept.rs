//! Content negotiation: the form of an answer that a client prefers.

/// Returns the offered form whose media type `accept` prefers; `None` if it names none of them, as
/// `*/*` does. On equal weights the first one named wins: the usual `application/json, text/plain,
/// */*` of front ends means JSON.
pub fn preferred<T: Copy>(accept: Option<&str>, offers: &[(&str, T)]) -> Option<T> {
    let mut best: Option<(f32, T)> = None;
    for range in accept.unwrap_or_default().split(',') {
        let (media_type, weight) = parse_range(range);
        let offer = offers.iter().find(|(offered, _)| offered.eq_ignore_ascii_case(media_type));
        if let Some((_, form)) = offer
            && weight > best.map_or(0.0, |(weight, _)| weight)
        {
            best = Some((weight, *form));
        }
    }
    best.map(|(_, form)| form)
}

/// Returns a media type without its parameters, and its `q` (RFC 9110, 12.4.2): 1 if it has none,
/// 0 if that is not a number.
fn parse_range(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q="));
    (media_type, weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_with_the_highest_weight_is_chosen() {
        let offers = [("application/json", 'j'), ("text/plain", 't'), ("text/event-stream", 'e')];
        for (accept, form) in [
            (None, None),
            (Some(""), None),
            (Some("*/*"), None),
            (Some("text/html"), None),
            (Some("text/plain"), Some('t')),
            (Some("Text/Plain; charset=utf-8"), Some('t')),
            (Some("application/json, text/plain, */*"), Some('j')),
            (Some("text/plain, application/json"), Some('t')),
            (Some("application/json;q=0.5, text/plain;q=0.9"), Some('t')),
            (Some("text/event-stream, text/plain;q=0"), Some('e')),
            (Some("text/plain;q=0"), None),
            (Some("text/plain;q=x"), None),
            (Some("text/plainer"), None),
        ] {
            assert_eq!(preferred(accept, &offers), form, "{accept:?}");
        }
    }
}
