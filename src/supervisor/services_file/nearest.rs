//! The name that a mistyped one was probably meant to be.

/// The known name nearest to `name`, if one is near enough to have been meant.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let measured = known.into_iter().map(|known| (distance(known), known));
    let (distance, nearest) = measured.min_by_key(|(distance, _)| *distance)?;
    let is_near = distance <= 1 + name.chars().count() / 4 && distance < nearest.chars().count();
    is_near.then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_offered() {
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
            assert_eq!(nearest(name, known), found, "{name}");
        }
    }
}
