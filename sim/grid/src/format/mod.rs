//! Networks as text: readers that report what they found and where, and writers.
//!
//! Nothing here touches a file: a reader that meets the name of one asks a function of its caller.
//! What a reader does not know, or cannot express in [`crate::Network`], it refuses by name and
//! line. What has no influence on the steady state (sensors, plots, monitors) is left out, and
//! listed in the notes.
//!
//! ```text
//! toml   networks written by hand
//! pgm    the JSON of power-grid-model, in and out
//! dss    scripts of OpenDSS, in
//! ```

use std::fmt;

pub mod dss;
pub mod pgm;
pub mod toml;

/// A text without the mark that editors may put in front of it.
fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which file: by the name that its reader was given.
    pub file: Box<str>,
    /// Its line, from 1; 0 if the file as a whole is meant.
    pub line: u32,
    /// The byte of that line, from 1, where whole files may stand on one line; else 0.
    pub column: u32,
    /// What was found, what was expected, what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.what)
        } else if self.column == 0 {
            write!(f, "{}:{}: {}", self.file, self.line, self.what)
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
        }
    }
}

/// Why a file was not read: every mistake that was found, in the file's order, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The first ones, in the order in which they were found.
    pub mistakes: Vec<Mistake>,
    /// How many more there were.
    pub left_out: usize,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().enumerate() {
            write!(f, "{}{mistake}", if number == 0 { "" } else { "\n" })?;
        }
        if self.left_out > 0 {
            write!(f, "\nand {} more like these", self.left_out)?;
        }
        Ok(())
    }
}

/// Collects mistakes, and keeps the first hundred.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    found: Vec<Mistake>,
    left_out: usize,
}

impl Mistakes {
    const KEPT: usize = 100;

    pub(crate) fn add(&mut self, file: &str, line: u32, what: impl Into<String>) {
        self.add_at(file, (line, 0), what);
    }

    pub(crate) fn add_at(
        &mut self,
        file: &str,
        (line, column): (u32, u32),
        what: impl Into<String>,
    ) {
        if self.found.len() < Self::KEPT {
            self.found.push(Mistake { file: file.into(), line, column, what: what.into() });
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn or<T>(self, value: T) -> Result<T, Refusal> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(Refusal { mistakes: self.found, left_out: self.left_out })
        }
    }
}
