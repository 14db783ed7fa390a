//! Options of the command line whose value is one of some words.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Reads one of some words, each of which has a help text and a meaning.
pub fn one_of<T: Copy + Send + Sync>(
    words: &'static [(&'static str, &'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let values = words.iter().map(|&(word, help, _)| PossibleValue::new(word).help(help));
    PossibleValuesParser::new(values)
        .map(|word| words.iter().find(|(own, ..)| *own == word).unwrap_or(&words[0]).2)
}
