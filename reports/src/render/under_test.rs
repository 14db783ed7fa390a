//! Who is judged by a run, as the head of the page and the picture of the bench name it.

use std::collections::BTreeMap;

use lastmeter_record::RunFacts;
use lastmeter_text::append;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct UnderTest {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) evidence: &'static str,
}

/// The devices that are judged; if none is marked, each of them may be.
pub(crate) fn under_test(facts: &RunFacts) -> Vec<UnderTest> {
    let any = facts.devices.iter().any(|device| device.under_test);
    let shown = facts.devices.iter().filter(|device| device.under_test || !any);
    let mut groups: BTreeMap<(&str, &str, String), Vec<&str>> = BTreeMap::new();
    for device in shown {
        let mut detail = device.model.clone();
        for (what, value) in [
            ("fidelity", &device.fidelity),
            ("serial", &device.serial),
            ("firmware", &device.firmware),
        ] {
            if let Some(value) = value {
                append(&mut detail, format_args!(", {what} {value}"));
            }
        }
        groups
            .entry((&device.model, device.evidence.word(), detail))
            .or_default()
            .push(&device.name);
    }
    groups
        .into_iter()
        .map(|((_, evidence, detail), names)| UnderTest {
            name: names_of(&names),
            detail,
            evidence,
        })
        .collect()
}

/// `meter`, `a, b`, or `meter-01 … meter-10 (10)`.
fn names_of(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 3 => format!("{first} … {last} ({})", names.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_shown_by_first_and_last() {
        assert_eq!(names_of(&["a", "b"]), "a, b");
        assert_eq!(names_of(&["a", "b", "c", "d"]), "a … d (4)");
    }
}
