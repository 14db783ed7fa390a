//! Which of the right words somebody may have meant.

use lastmeter_units::MEASUREMENTS;

use crate::synonyms;

const SUGGESTED_MAX: usize = 3;

/// The candidate nearest to a word that is none of them, if any is near enough to be worth
/// suggesting: one that the word is another word for; else at most three edits as in cargo, fewer
/// for short words, or a word of which the given one is a part. Of equally near ones the first.
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
    if let Some(ours) = synonyms::meant_by(word, &candidates) {
        return Some(ours);
    }
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

/// What to do about a text that is no measurement identifier, and no pattern that fits any: those
/// of these names that it may have meant, or the command that lists all.
pub fn measurement_help<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    const ALL: &str = "`lastmeter list quantities` shows all of them";
    let names: Vec<&str> = names.into_iter().collect();
    if let Some(near) = nearest_by_edits(text, &names) {
        return format!("did you mean `{near}`?");
    }
    let wanted = parts_of(text);
    if wanted.is_empty() {
        return ALL.to_owned();
    }
    let score = |name: &str| {
        let has = parts_of(name);
        let both = wanted.iter().filter(|part| has.iter().any(|own| is_like(part, own))).count();
        // In hundredths of all parts of either.
        (both, 100 * both / (wanted.len() + has.len() - both).max(1))
    };
    // `electricity` alone is common to most of them.
    let mut scored: Vec<(usize, &str)> = names
        .iter()
        .map(|name| (score(name), *name))
        .filter(|((both, share), _)| *share >= 40 && (*both > 1 || wanted.len() == 1))
        .map(|((_, share), name)| (share, name))
        .collect();
    scored.sort_by_key(|(share, _)| std::cmp::Reverse(*share));
    let best = scored.first().map_or(0, |(share, _)| *share);
    let near: Vec<String> = scored
        .iter()
        .take_while(|(share, _)| *share == best)
        .take(SUGGESTED_MAX)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    match near.as_slice() {
        [] => ALL.to_owned(),
        several => format!("did you mean {}? {ALL}", several.join(" or ")),
    }
}

/// Like [`measurement_help`], of all registered identifiers.
pub fn registered_measurement_help(text: &str) -> String {
    measurement_help(text, MEASUREMENTS.iter().map(|row| row.name))
}

/// The candidate that differs in a few letters, as [`nearest`] has it.
fn nearest_by_edits<'a>(text: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let near = nearest(text, candidates.iter().copied())?;
    // Of a part of many identifiers one would be a guess.
    let is_a_part = near.to_lowercase().contains(&text.to_lowercase());
    (!is_a_part).then_some(near)
}

/// The parts of an identifier: between dots, and between a small letter and a capital.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut last_was_small = false;
    for c in name.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && last_was_small);
        if begins {
            parts.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
        last_was_small = c.is_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether two parts are the same word, up to a slip or an ending.
fn is_like(a: &str, b: &str) -> bool {
    const COMMON_MIN: usize = 4;
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    a == b || common >= COMMON_MIN || (a.len() >= COMMON_MIN && strsim::osa_distance(a, b) <= 1)
}

#[cfg(test)]
mod tests {
    use super::{nearest, parts_of, registered_measurement_help};

    #[test]
    fn another_word_for_a_thing_finds_it() {
        for (word, ours) in
            [("sag", "dip"), ("Sag", "dip"), ("depth", "to"), ("pf", "power_factor")]
        {
            assert_eq!(nearest(word, ["swell", "dip", "to", "power_factor"]), Some(ours));
        }
        assert_eq!(nearest("L2", ["a", "b", "c", "abc"]), Some("b"));
        // Only where it may stand.
        assert_eq!(nearest("depth", ["source", "for"]), None);
    }

    #[test]
    fn an_identifier_that_lacks_a_part_finds_those_that_have_it() {
        assert_eq!(
            parts_of("electricity.powerFactor.l1"),
            ["electricity", "power", "factor", "l1"]
        );
        for (text, near) in [
            ("electricity.voltage.rms.l9", "electricity.voltage.rms.l1"),
            ("electricity.voltage.l1", "electricity.voltage.rms.l1"),
            ("voltage.l2", "electricity.voltage.rms.l2"),
            ("electricity.power.active.l1", "electricity.power.active.consumed.l1"),
            ("electricity.energy.active.total", "electricity.energy.active.consumed.total"),
            ("power_factor.l3", "electricity.powerFactor.l3"),
        ] {
            let help = registered_measurement_help(text);
            assert!(
                help.starts_with("did you mean") && help.contains(&format!("`{near}`")),
                "{help}"
            );
        }
        for text in ["nonsense", "", "*", "electricity.nonsense.x"] {
            let help = registered_measurement_help(text);
            assert!(help.contains("`lastmeter list quantities`"), "{text}: {help}");
        }
    }

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
