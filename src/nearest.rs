//! Suggestions for mistyped names.

/// The most names suggested.
const OFFERED_MAX: usize = 3;

/// Returns the known name nearest to `name`, if it is near enough to be a typing error.
#[must_use]
pub fn meant<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, nearest) = by_distance(name, known).into_iter().next()?;
    let is_near = distance <= 1 + name.chars().count() / 4 && distance < nearest.chars().count();
    is_near.then_some(nearest)
}

/// Returns the three known names nearest to `name`, nearest first; fewer if fewer are known.
#[must_use]
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let sorted = by_distance(name, known).into_iter();
    sorted.take(OFFERED_MAX).map(|(_, known)| known).collect()
}

fn by_distance<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<(usize, &'k str)> {
    let lower = name.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let mut sorted: Vec<_> = known.into_iter().map(|known| (distance(known), known)).collect();
    sorted.sort_by_key(|(distance, _)| *distance);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["cmd", "env", "restart_policy", "port"];
        for (name, found) in [
            ("restart_polcy", Some("restart_policy")),
            ("restartPolicy", Some("restart_policy")),
            ("cdm", Some("cmd")),
            ("CMD", Some("cmd")),
            ("prot", Some("port")),
            ("replicas", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(meant(name, known), found, "{name}");
        }
    }

    #[test]
    fn at_most_three_names_are_suggested() {
        let known = ["web", "worker", "db", "cache"];
        assert_eq!(nearest("wbe", known)[0], "web");
        assert_eq!(nearest("wbe", known).len(), 3);
        assert!(nearest("x", []).is_empty());
    }
}
