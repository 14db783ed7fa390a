//! The form of a line: text, runs of blanks, fields and gaps.

/// One piece of fixed text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Exactly this; without blanks at its ends.
    Text(String),
    /// One or more blanks.
    Blanks,
}

/// What stands between two pieces of fixed text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Gap {
    /// The field of this index.
    Field(usize),
    /// Any text, of any length.
    Any,
}

/// The form of a line: fixed text, and gaps each with the fixed text behind it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pattern {
    pub(super) first: Vec<Part>,
    pub(super) rest: Vec<(Gap, Vec<Part>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum PatternFault {
    /// Nothing but a line end, or nothing but anything.
    Empty,
    NoLineEnd,
    LineEndWithin,
    /// A brace without its other.
    Brace,
    NoName,
    Repeated(String),
    /// Two gaps, as they are written, with nothing between.
    Adjacent(String, String),
    /// Any text behind a field, or at the end of the line: what a meter reports of itself there
    /// would be ignored.
    Ignored,
}

/// A pattern, the names of its fields and the line end; `None` where there is none.
pub(super) struct PatternDraft {
    pub(super) pattern: Pattern,
    pub(super) names: Vec<String>,
    pub(super) line_end: Option<String>,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Characters that can end a line: no part of numbers, units, words and of what braces mean.
fn can_end_line(c: char) -> bool {
    c.is_ascii_control() && c != '\t' || c.is_ascii_punctuation() && !"%+-.,_*{}'\"".contains(c)
}

/// The text in front of the line end, and the line end.
fn split_line_end(answer: &str) -> Option<(&str, &str)> {
    let body = answer.strip_suffix("\r\n");
    let body = body.or_else(|| answer.strip_suffix(can_end_line))?;
    Some((body, &answer[body.len()..]))
}

/// Reads an answer as it is written; what is wrong with it goes to `faults`.
pub(super) fn read(answer: &str, faults: &mut Vec<PatternFault>) -> PatternDraft {
    let (body, line_end) = match split_line_end(answer) {
        Some((body, line_end)) => (body, Some(line_end)),
        None => (answer, None),
    };
    let mut reader = Reader { faults, pattern: Pattern::default(), names: Vec::new() };
    reader.read(body.trim_matches(is_blank));
    let is_open = |(gap, behind): &(Gap, Vec<Part>)| *gap == Gap::Any && behind.is_empty();
    let is_behind_field = |rest: &[(Gap, Vec<Part>)]| {
        rest.len() > 1
            && matches!(&rest[rest.len() - 2], (Gap::Field(_), parts) if parts.is_empty())
    };
    let rest = &reader.pattern.rest;
    if !reader.names.is_empty() && rest.last().is_some_and(is_open) && !is_behind_field(rest) {
        reader.faults.push(PatternFault::Ignored);
    }
    let Reader { mut pattern, names, .. } = reader;
    if let Some(line_end) = line_end {
        let of_line = |c: char| line_end.contains(c) || matches!(c, '\r' | '\n');
        if pattern.texts().any(|text| text.contains(of_line)) {
            faults.push(PatternFault::LineEndWithin);
        }
    }
    if !answer.is_empty() && line_end.is_none() {
        faults.push(PatternFault::NoLineEnd);
    }
    if names.is_empty() && pattern.texts().next().is_none() && faults.iter().all(is_about_end) {
        faults.push(PatternFault::Empty);
        pattern = Pattern::default();
    }
    PatternDraft { pattern, names, line_end: line_end.map(str::to_owned) }
}

fn is_about_end(fault: &PatternFault) -> bool {
    matches!(fault, PatternFault::NoLineEnd | PatternFault::LineEndWithin)
}

struct Reader<'f> {
    faults: &'f mut Vec<PatternFault>,
    pattern: Pattern,
    names: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, mut body: &str) {
        while let Some(c) = body.chars().next() {
            let rest = &body[c.len_utf8()..];
            body = match c {
                '{' if rest.starts_with('{') => self.text('{', &rest[1..]),
                '{' if rest.starts_with("*}") => self.text('*', &rest[2..]),
                '}' if rest.starts_with('}') => self.text('}', &rest[1..]),
                '{' => match rest.split_once('}') {
                    Some((name, rest)) if !name.contains('{') => {
                        self.field(name);
                        rest
                    }
                    _ => self.fault(PatternFault::Brace, rest),
                },
                '}' => self.fault(PatternFault::Brace, rest),
                '*' => {
                    self.gap(Gap::Any);
                    rest
                }
                c if is_blank(c) => {
                    self.last().push(Part::Blanks);
                    rest.trim_start_matches(is_blank)
                }
                c => self.text(c, rest),
            };
        }
    }

    fn fault<'r>(&mut self, fault: PatternFault, rest: &'r str) -> &'r str {
        self.faults.push(fault);
        rest
    }

    /// The fixed text that is being read.
    fn last(&mut self) -> &mut Vec<Part> {
        match self.pattern.rest.last_mut() {
            Some((_, parts)) => parts,
            None => &mut self.pattern.first,
        }
    }

    fn text<'r>(&mut self, c: char, rest: &'r str) -> &'r str {
        match self.last().last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.last().push(Part::Text(c.to_string())),
        }
        rest
    }

    fn field(&mut self, name: &str) {
        if name.is_empty() {
            self.faults.push(PatternFault::NoName);
        } else if self.names.iter().any(|other| other == name) {
            self.faults.push(PatternFault::Repeated(name.to_owned()));
        }
        self.names.push(name.to_owned());
        self.gap(Gap::Field(self.names.len() - 1));
    }

    fn gap(&mut self, gap: Gap) {
        let before = self.pattern.rest.last().filter(|(_, parts)| parts.is_empty());
        match (before.map(|(before, _)| *before), gap) {
            (Some(Gap::Any), Gap::Any) => return,
            (None, _) => {}
            (Some(Gap::Field(_)), Gap::Any) => self.faults.push(PatternFault::Ignored),
            (Some(before), Gap::Field(_)) => {
                let written = |gap: Gap| match gap {
                    Gap::Field(index) => format!("{{{}}}", self.names[index]),
                    Gap::Any => "*".to_owned(),
                };
                self.faults.push(PatternFault::Adjacent(written(before), written(gap)));
            }
        }
        self.pattern.rest.push((gap, Vec::new()));
    }
}

impl Pattern {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let parts = self.first.iter().chain(self.rest.iter().flat_map(|(_, parts)| parts));
        parts.filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Blanks => None,
        })
    }

    /// Whether a line begins with fixed text, by which its first part is recognised.
    pub(super) fn begins_with_text(&self) -> bool {
        !self.first.is_empty()
    }

    /// The character that follows a field without a blank between.
    pub(super) fn behind(&self, field: usize) -> Option<char> {
        let (_, parts) = self.rest.iter().find(|(gap, _)| *gap == Gap::Field(field))?;
        match parts.first()? {
            Part::Text(text) => text.chars().next(),
            Part::Blanks => None,
        }
    }

    /// The texts of the fields of a line, in their order, without the blanks around them. Each
    /// gap is as short as the fixed text behind it allows.
    pub(super) fn read<'l>(&self, line: &'l str) -> Option<Vec<&'l str>> {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
        let mut at = match_at(&self.first, line, 0)?;
        let mut found = Vec::new();
        for (index, (gap, parts)) in self.rest.iter().enumerate() {
            let is_last = index + 1 == self.rest.len();
            if matches!(gap, Gap::Field(_)) {
                at += line[at..].len() - line[at..].trim_start_matches(is_blank).len();
            }
            let (end, next) = if parts.is_empty() {
                (line.len(), line.len())
            } else {
                find_from(parts, line, at, is_last)?
            };
            if matches!(gap, Gap::Field(_)) {
                found.push(line[at..end].trim_matches(is_blank));
            }
            at = next;
        }
        (at == line.len()).then_some(found)
    }
}

/// The end of fixed text that stands at a place of a line.
fn match_at(parts: &[Part], line: &str, from: usize) -> Option<usize> {
    let mut rest = line.get(from..)?;
    for (index, part) in parts.iter().enumerate() {
        rest = match part {
            Part::Text(text) => rest.strip_prefix(text.as_str())?,
            // The gap behind takes further ones, or begins with them.
            Part::Blanks if index + 1 == parts.len() => rest.strip_prefix(is_blank)?,
            Part::Blanks => rest.strip_prefix(is_blank)?.trim_start_matches(is_blank),
        };
    }
    Some(line.len() - rest.len())
}

/// The first place from which fixed text stands in a line, and its end; the last one of a pattern
/// ends the line.
fn find_from(parts: &[Part], line: &str, from: usize, is_last: bool) -> Option<(usize, usize)> {
    let places = line.get(from..)?.char_indices().map(|(at, _)| from + at);
    let mut ends = places.filter_map(|at| Some((at, match_at(parts, line, at)?)));
    ends.find(|(_, end)| !is_last || *end == line.len())
}
