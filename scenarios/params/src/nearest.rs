//! Which of the right words somebody may have meant.

/// The candidate nearest to a word that is none of them, if any is near enough to be worth
/// suggesting: at most three edits as in cargo, fewer for short words, or a word of which the
/// given one is a part. Of equally near ones the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no misspelt words, and the distance costs their product.
    const LENGTH_MAX: usize = 200;
    if word.len() > LENGTH_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    // Of a word of one or two letters only the case may differ: `mw` is near to `mW`, `h` to none.
    let edits_max = (word.chars().count() / 3).min(3);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let by_edits = candidates
        .iter()
        .map(|&candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(edits, _)| edits <= edits_max)
        .min_by_key(|&(edits, candidate)| (edits, strsim::osa_distance(word, candidate)));
    if let Some((_, candidate)) = by_edits {
        return Some(candidate);
    }
    candidates
        .into_iter()
        .filter(|candidate| lower.len() >= 3 && candidate.to_lowercase().contains(&lower))
        .min_by_key(|candidate| candidate.len())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let words = ["duration", "start", "seed", "kW", "mW", "MW", "voltage_gain_error"];
        for (word, expected) in [
            ("duratoin", Some("duration")),
            ("Duration", Some("duration")),
            ("sede", Some("seed")),
            ("mw", Some("mW")),
            ("Mw", Some("MW")),
            ("gain_error", Some("voltage_gain_error")),
            ("whatever", None),
            ("h", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), words), None);
    }
}
