//! The words of the palette: a picture has the light colours of tokens, and the style sheet of a
//! page maps the same words to its theme, so that one picture serves light, dark and print.

use crate::colour::Colour;
use crate::tokens::{self, Token};

/// Letters and axes.
pub const INK: Colour = tokens::SOFT.light;
/// Letters over a coloured field.
pub const STRONG: Colour = tokens::INK.light;
/// Grid lines.
pub const LINE: Colour = tokens::LINE.light;
/// Shaded areas, and grid lines without a figure.
pub const SHADE: Colour = tokens::SUNKEN.light;
/// Limits, losses, what is bad.
pub const BAD: Colour = tokens::CRITICAL.light;
/// The data of a picture with one series.
pub const DATA: Colour = tokens::GRID.light;
/// What the bench did to the system, and the second of two series.
pub const INJECTED: Colour = tokens::OWN.light;
/// Duplicates, and what was computed of the data.
pub const SECOND: Colour = tokens::SENT.light;
/// All others together.
pub const REST: Colour = tokens::REST.light;

/// Series and parts of a whole, in order; the last is grey.
pub(crate) const PARTS: [Token; 6] =
    [tokens::GRID, tokens::OWN, tokens::HEAT, tokens::WATER, tokens::SENT, tokens::REST];

/// The tokens whose light colours are the words of pictures; no two of these are the same.
pub(crate) const WORDS: [Token; 11] = [
    tokens::SOFT,
    tokens::INK,
    tokens::LINE,
    tokens::SUNKEN,
    tokens::CRITICAL,
    tokens::GRID,
    tokens::OWN,
    tokens::HEAT,
    tokens::WATER,
    tokens::SENT,
    tokens::REST,
];

impl Colour {
    /// How many parts of a whole have colours of their own.
    pub const PARTS: usize = PARTS.len();

    /// The colour of a curve by its place, which is never grey.
    #[must_use]
    pub const fn of_curve(place: usize) -> Self {
        PARTS[place % (PARTS.len() - 1)].light
    }

    /// The colour of a part of a whole by its place; in a page the class `part0` and so on has it.
    #[must_use]
    pub const fn of_part(place: usize) -> Self {
        PARTS[place % PARTS.len()].light
    }

    /// The colour of letters about what has this one: those of data have too little contrast.
    pub(crate) fn of_letters(self) -> Self {
        if self == BAD { BAD } else { INK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_picture_is_one_token() {
        for (place, token) in WORDS.iter().enumerate() {
            assert!(WORDS[..place].iter().all(|other| other.light != token.light), "{token:?}");
        }
        let words = [INK, STRONG, LINE, SHADE, BAD, DATA, INJECTED, SECOND, REST];
        for word in words.into_iter().chain(PARTS.map(|token| token.light)) {
            assert!(WORDS.iter().any(|token| token.light == word), "{word}");
        }
    }
}
