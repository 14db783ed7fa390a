//! The colours of pages, reports and charts, each for a light and for a dark theme.
//!
//! A style sheet names a colour by its meaning, `var(--soft)`; the theme is the one the viewer's
//! system prefers, unless the page has `data-theme="light"` or `"dark"` on its root. Paper is
//! always light.

#![expect(clippy::unreadable_literal, reason = "colours are written as in CSS")]

use crate::colour::Colour;

/// A colour by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name in CSS, without the two dashes before it.
    pub name: &'static str,
    /// What it is on light ground.
    pub light: Colour,
    /// What it is on dark ground.
    pub dark: Colour,
}

macro_rules! tokens {
    ($($(#[$meaning:meta])* $constant:ident = $name:literal $light:literal $dark:literal;)*) => {
        $(
            $(#[$meaning])*
            pub(crate) const $constant: Token =
                Token { name: $name, light: Colour::of_hex($light), dark: Colour::of_hex($dark) };
        )*
        /// All of them.
        pub const TOKENS: &[Token] = &[$($constant),*];
    };
}

tokens! {
    /// The page.
    PAPER = "paper" 0xFBFAF6 0x141413;
    /// Cards, tables and pictures on it.
    SURFACE = "surface" 0xFFFFFF 0x1C1B1A;
    /// What lies lower than they do: code, fields to write in.
    SUNKEN = "sunken" 0xF2F0E5 0x262523;
    /// Lines between rows, and those behind the data of charts.
    LINE = "line" 0xE2DFD2 0x393834;
    /// Text.
    INK = "ink" 0x1C1B1A 0xE8E6DD;
    /// Text of less weight, and letters and axes of charts.
    SOFT = "soft" 0x57564F 0xB7B5AC;
    /// Labels beside what they name.
    FAINT = "faint" 0x69675F 0x9A988F;
    /// Links, and what is for information.
    LINK = "link" 0x205EA6 0x7FB0EA;
    /// What is not certain, or soon will be bad.
    WARNING = "warning" 0x7D5E00 0xD9AD2E;
    /// What could not be carried out.
    ERROR = "error" 0xA02F6F 0xD877A8;
    /// What is bad; limits, losses.
    CRITICAL = "critical" 0xAF3029 0xEF8074;
    /// What is as it has to be.
    GOOD = "good" 0x506608 0x98AD45;
    /// The edges of what can be operated.
    EDGE = "edge" 0x858277 0x7F7D76;
    /// The ring around what has the keyboard.
    FOCUS = "focus" 0x205EA6 0x9CC2F0;
    /// Text on `link` and on `critical`.
    ON_PRIMARY = "on-primary" 0xFFFFFF 0x141413;
    /// Data: from the grid; the first series.
    GRID = "grid" 0x205EA6 0x6A9FF0;
    /// Data: one's own generation; the second series.
    OWN = "own" 0xAD8301 0xF5D23C;
    /// Data: sent to the grid; the fifth series.
    SENT = "sent" 0x46204F 0x8F6497;
    /// Data: heat; the third series.
    HEAT = "heat" 0x7D2A04 0xC4621F;
    /// Data: water; the fourth series.
    WATER = "water" 0x2B9195 0x7CECEA;
    /// Data: gas.
    GAS = "gas" 0x6B7F2A 0x8FA34A;
    /// Data: all others together.
    REST = "rest" 0x6F6E69 0xA3A19A;
    /// Data: the first line conductor.
    L1 = "L1" 0x7D4A1E 0xC98D5A;
    /// Data: the second one.
    L2 = "L2" 0x1C1B1A 0xF2F0E8;
    /// Data: the third one.
    L3 = "L3" 0x858277 0x7F7D76;
}

/// Names that stand for the colour of another one.
pub(crate) const SYNONYMS: [(&str, Token); 1] = [("info", LINK)];
