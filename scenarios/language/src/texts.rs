//! The texts a scenario is made of, and where in them a span lies.
//!
//! A span is never trusted: whatever it holds, the place it gets lies within its text, on character
//! boundaries, and on one line.

use lastmeter_params::{SourceId, Span};

/// One text and where it comes from.
#[derive(Clone, Debug, PartialEq)]
struct Source {
    origin: String,
    text: String,
    /// Where lines begin, so that many mistakes of a long file are placed in no time.
    lines: Vec<usize>,
}

impl Source {
    fn new(origin: String, text: String) -> Self {
        let body = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let breaks = body.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { origin, text, lines }
    }

    /// The number of the line a position is on, from 1, and where that line begins.
    fn line_of(&self, at: usize) -> (usize, usize) {
        let number = self.lines.partition_point(|start| *start <= at);
        (number, self.lines.get(number.saturating_sub(1)).copied().unwrap_or(0))
    }
}

/// The scenario file and the overrides, by [`SourceId`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    sources: Vec<Source>,
}

/// A span as people see it. Lines and columns count from 1, columns in characters; the end is the
/// last marked character's successor.
#[derive(Clone, Debug, PartialEq)]
pub struct Place<'a> {
    /// The file's path as it was given, or the option an override came with.
    pub origin: &'a str,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last marked character.
    pub end_column: usize,
    /// The whole first line, without its line break.
    pub line_text: &'a str,
    /// The marked bytes within `line_text`; never empty unless the line ends there.
    pub marked: std::ops::Range<usize>,
}

impl Texts {
    /// The scenario file alone.
    pub fn new(origin: impl Into<String>, text: impl Into<String>) -> Self {
        Self { sources: vec![Source::new(origin.into(), text.into())] }
    }

    /// Adds the text of an override, and returns its number.
    pub(crate) fn add(&mut self, origin: &str, text: &str) -> SourceId {
        self.sources.push(Source::new(origin.to_owned(), text.to_owned()));
        SourceId(u16::try_from(self.sources.len() - 1).unwrap_or(u16::MAX))
    }

    /// The path of the scenario file, as it was given.
    pub fn origin(&self) -> &str {
        self.sources.first().map_or("", |source| &source.origin)
    }

    /// The texts of the overrides, in order.
    pub(crate) fn overrides(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().skip(1).map(|source| source.text.as_str())
    }

    /// Where a span lies.
    pub fn place(&self, span: Span) -> Place<'_> {
        let empty = Place {
            origin: "",
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            line_text: "",
            marked: 0..0,
        };
        let Some(source) = self.sources.get(usize::from(span.source.0)) else { return empty };
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let skipped = source.text.len() - text.len();
        let start = text.floor_char_boundary(span.start.saturating_sub(skipped));
        let end = text.floor_char_boundary(span.end.saturating_sub(skipped)).max(start);
        let (line, line_start) = source.line_of(start);
        let (end_line, end_line_start) = source.line_of(end);
        let line_text = line_at(text, line_start);
        let from = (start - line_start).min(line_text.len());
        let to = (end - line_start).min(line_text.len());
        Place {
            origin: &source.origin,
            line,
            column: column(line_text, from),
            end_line,
            end_column: column(line_at(text, end_line_start), end - end_line_start),
            line_text,
            marked: at_least_one_character(line_text, from..to),
        }
    }
}

/// The line that begins at a position, without its line break.
fn line_at(text: &str, line_start: usize) -> &str {
    let line = text[line_start..].split('\n').next().unwrap_or_default();
    line.strip_suffix('\r').unwrap_or(line)
}

fn column(line: &str, at: usize) -> usize {
    line[..line.floor_char_boundary(at)].chars().count() + 1
}

fn at_least_one_character(line: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    if !range.is_empty() {
        return range;
    }
    let width = line[range.start..].chars().next().map_or(0, char::len_utf8);
    range.start..range.start + width
}
