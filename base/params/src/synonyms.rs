//! Other words for what the language has: what people who know the field, but not the language,
//! write for keys and kinds.

/// A word, and ours for it.
static SYNONYMS: &[(&str, &str)] = &[
    ("sag", "dip"),
    ("voltage_dip", "dip"),
    ("voltage_sag", "dip"),
    ("brownout", "dip"),
    ("overvoltage", "swell"),
    ("surge", "swell"),
    ("outage", "interruption"),
    ("blackout", "interruption"),
    ("power_cut", "interruption"),
    ("depth", "to"),
    ("residual", "to"),
    ("residual_voltage", "to"),
    ("remaining", "to"),
    ("level", "to"),
    ("duration", "for"),
    ("length", "for"),
    ("lasts", "for"),
    ("time", "at"),
    ("when", "at"),
    ("source", "at"),
    ("connected_to", "at"),
    ("type", "kind"),
    ("type", "model"),
    ("kind", "model"),
    ("device", "model"),
    ("tolerance", "limit"),
    ("threshold", "limit"),
    ("max_error", "limit"),
    ("maximum", "limit"),
    ("measurement", "quantity"),
    ("measurand", "quantity"),
    ("metric", "quantity"),
    ("period", "report_every"),
    ("interval", "report_every"),
    ("reporting_period", "report_every"),
    ("reporting_interval", "report_every"),
    ("sampling_rate", "sample_rate"),
    ("sampling_frequency", "sample_rate"),
    ("number", "count"),
    ("instances", "count"),
    ("pf", "power_factor"),
    ("cosphi", "power_factor"),
    ("cos_phi", "power_factor"),
    ("packet_loss", "loss"),
    ("latency", "delay"),
    ("phase_shift", "current_lag"),
    ("ct_ratio", "current_ratio"),
    ("vt_ratio", "voltage_ratio"),
    ("pt_ratio", "voltage_ratio"),
    ("requirements", "covers"),
    ("l1", "a"),
    ("l2", "b"),
    ("l3", "c"),
];

/// What differs where a word is not merely another name.
static NOTES: &[(&str, &str, &str)] =
    &[("depth", "to", "`to` is what is left of the voltage: a dip by 30 % is `to = \"70 %\"`")];

/// The note on a word for which there is no other.
static HINTS: &[(&str, &str)] = &[
    (
        "class",
        "how good a meter is follows from its errors; what it is judged by is a class: `lastmeter \
         accuracy MODEL --test-plan NAME --class CLASS`, or `class` of a `[test_plan]`",
    ),
    (
        "accuracy",
        "the errors of a meter are keys such as `voltage_gain_error`; what they may be is a check \
         of kind `accuracy`",
    ),
];

/// The candidate that a word is another word for.
pub(crate) fn meant_by<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let mut ours = SYNONYMS.iter().filter(|(other, _)| *other == word);
    ours.find_map(|(_, ours)| candidates.iter().find(|candidate| *candidate == ours)).copied()
}

/// In what the two words differ, if they do.
pub(crate) fn note(word: &str, ours: &str) -> Option<&'static str> {
    let is_it = |row: &&(&str, &str, &str)| row.0 == word.to_lowercase() && row.1 == ours;
    NOTES.iter().find(is_it).map(|row| row.2)
}

/// The note on a word that stands for nothing here.
pub(crate) fn hint(word: &str) -> Option<&'static str> {
    HINTS.iter().find(|(other, _)| *other == word.to_lowercase()).map(|(_, hint)| *hint)
}
