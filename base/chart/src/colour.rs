//! The palette: fixed words for colours. A picture by itself is light, and the page's style sheet
//! maps the same words to its theme, so that one picture serves light, dark and print.

use std::fmt;

use plotters::style::RGBColor;

/// A colour, shown as `#RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Letters and axes.
pub const INK: Colour = Colour(0x57, 0x56, 0x53);
/// Grid lines.
pub const LINE: Colour = Colour(0xE6, 0xE4, 0xD9);
/// Shaded areas, and grid lines without a figure.
pub const SHADE: Colour = Colour(0xF2, 0xF0, 0xE5);
/// Limits, losses, what is bad.
pub const BAD: Colour = Colour(0xAF, 0x30, 0x29);
/// What the bench did to the system.
pub const INJECTED: Colour = PARTS[4];
/// The data of a picture with one series.
pub const DATA: Colour = PARTS[1];
/// Duplicates, and the second of two things.
pub const SECOND: Colour = PARTS[3];
/// Parts of a whole, in order; the first is grey.
pub const PARTS: [Colour; 7] = [
    Colour(0x8A, 0x88, 0x80),
    Colour(0x20, 0x5E, 0xA6),
    Colour(0x24, 0x83, 0x7B),
    Colour(0x5E, 0x40, 0x9D),
    Colour(0xBC, 0x52, 0x15),
    Colour(0x8F, 0x6B, 0x00),
    Colour(0xA0, 0x2F, 0x6F),
];

impl Colour {
    /// The colour of a curve by its place, which is never grey.
    #[must_use]
    pub const fn of_curve(place: usize) -> Self {
        PARTS[1 + place % (PARTS.len() - 1)]
    }

    pub(crate) const fn rgb(self) -> RGBColor {
        RGBColor(self.0, self.1, self.2)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}
