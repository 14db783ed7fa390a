//! TOML values with the place they came from.
//!
//! Reading is recoverable: after a syntax error the rest of the text is still read, so that an
//! author sees all mistakes at once. What stands on the lines of a syntax error becomes
//! [`NodeValue::Invalid`], about which nothing more is reported.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::code::Code;
use crate::diagnostic::{Diagnostics, SourceId, Span};
use crate::values::{quote, quote_key};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value at that place.
    pub value: NodeValue,
    /// Where it stands.
    pub span: Span,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, a time or both, as RFC 3339 writes them, with or without offset.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// A table.
    Table(Table),
    /// Something that could not be read; its mistake has been reported.
    Invalid,
}

impl NodeValue {
    /// What it is, for a sentence.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::String(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Invalid => "something unreadable",
        }
    }

    /// As TOML writes it, on one line.
    pub fn to_toml(&self) -> String {
        match self {
            Self::String(text) => quote(text),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Datetime(text) => text.clone(),
            Self::Array(list) => {
                let items: Vec<String> = list.iter().map(|node| node.value.to_toml()).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(table) => {
                let entry = |entry: &TableEntry| {
                    format!("{} = {}", quote_key(&entry.key), entry.node.value.to_toml())
                };
                let entries: Vec<String> = table.entries.iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Self::Invalid => "?".to_owned(),
        }
    }
}

/// One key of a table with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct TableEntry {
    /// The key as it is written.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value of the key.
    pub node: Node,
}

/// A table; its entries stand in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The entries. No key stands twice.
    pub entries: Vec<TableEntry>,
    /// Whether a syntax error lies in it, or hides what follows: what seems to be missing may stand
    /// there.
    pub incomplete: bool,
}

impl Table {
    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&TableEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    /// The text of a key, if it is there and text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Sets a key, replacing what was there.
    pub fn set(&mut self, key: &str, key_span: Span, node: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => (entry.key_span, entry.node) = (key_span, node),
            None => self.entries.push(TableEntry { key: key.to_owned(), key_span, node }),
        }
    }
}

/// Reads a whole TOML text with the words that it has.
pub(crate) fn parse_as_written(
    text: &str,
    source: SourceId,
    diagnostics: &mut Diagnostics,
) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { source, ..Reader::default() };
    reader.report(text, &errors, diagnostics);
    let table = table.into_inner();
    reader.find_hidden(text, &table);
    reader.table(table, None, diagnostics)
}

/// Reads the value of an override: `text[from..]` as a TOML value, or else as bare text.
pub fn parse_override(text: &str, from: usize, source: SourceId) -> Node {
    let bare = text.get(from..).unwrap_or_default();
    let trimmed = bare.trim();
    let start = from + (bare.len() - bare.trim_start().len());
    let span = Span { source, start, end: start + trimmed.len() };
    let as_text = || Node { value: NodeValue::String(trimmed.to_owned()), span };
    let Ok(value) = DeValue::parse(trimmed) else { return as_text() };
    let reader = Reader { source, offset: start, ..Reader::default() };
    let mut diagnostics = Diagnostics::new();
    let node = reader.node(value, &mut diagnostics);
    if diagnostics.is_empty() { node } else { as_text() }
}

/// Converts the parser's values, in the light of the errors it found.
#[derive(Default)]
struct Reader {
    source: SourceId,
    /// Added to every position.
    offset: usize,
    /// The lines of syntax errors.
    unreadable: Vec<Range<usize>>,
    /// Where lines begin that look like table headers, in order.
    headers: Vec<usize>,
    /// Whether a syntax error hid a whole table from the parser.
    is_hiding: bool,
}

impl Reader {
    fn span(&self, range: &Range<usize>) -> Span {
        Span {
            source: self.source,
            start: self.offset + range.start,
            end: self.offset + range.end.max(range.start),
        }
    }

    /// Reports the parser's errors, one for each line, and remembers the lines.
    fn report(&mut self, text: &str, errors: &[toml::de::Error], diagnostics: &mut Diagnostics) {
        let mut errors: Vec<(Range<usize>, &str)> = errors
            .iter()
            .map(|error| (error.span().unwrap_or(text.len()..text.len()), error.message()))
            .collect();
        errors.sort_by_key(|(range, _)| range.start);
        let mut lines_done: Vec<Range<usize>> = Vec::new();
        let mut repeated_table: Option<usize> = None;
        for (range, message) in errors {
            let line = line_around(text, range.start);
            if lines_done.contains(&line) {
                continue;
            }
            lines_done.push(line.clone());
            let line_text = text.get(line.clone()).unwrap_or_default();
            if message != "duplicate key" {
                self.unreadable.push(line);
                let (what, label) = describe_error(message, range.is_empty());
                diagnostics.report(Code::SYNTAX, self.span(&range), what, label);
            } else if line_text.trim_start().starts_with('[') {
                self.unreadable.push(line);
                repeated_table = Some(range.start);
                let help =
                    "put the keys under one header, or write `[[...]]` where several are meant";
                diagnostics.report_with_help(
                    Code::DUPLICATE_KEY,
                    self.span(&range),
                    format!("table {} stands twice", name_at(text, &range)),
                    "already there",
                    Some(help.to_owned()),
                );
            } else if repeated_table.is_none_or(|start| has_header(text, start, range.start)) {
                diagnostics.report(
                    Code::DUPLICATE_KEY,
                    self.span(&range),
                    format!("key {} stands twice", name_at(text, &range)),
                    "already there",
                );
            }
        }
    }

    /// Looks for tables whose header the parser never saw: after an error it may stop altogether.
    fn find_hidden(&mut self, text: &str, table: &DeTable<'_>) {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let indent = line.len() - line.trim_start().len();
            if line.trim_start().starts_with('[') {
                self.headers.push(start + indent);
            }
            start += line.len();
        }
        let mut seen = BTreeSet::new();
        header_places(table, &mut seen);
        let is_bad = |place: &usize| self.unreadable.iter().any(|line| line.contains(place));
        self.is_hiding = !self.unreadable.is_empty()
            && self.headers.iter().any(|place| !seen.contains(place) || is_bad(place));
    }

    /// Whether something that belongs to a table may not have been read; `place` is where the table
    /// is, `None` for the one before all headers.
    fn is_incomplete(&self, place: Option<usize>) -> bool {
        let following =
            place.map_or(0, |place| self.headers.partition_point(|&header| header <= place));
        let begin = following.checked_sub(1).map_or(0, |index| self.headers[index]);
        let end = self.headers.get(following).copied().unwrap_or(usize::MAX);
        let is_inside = |line: &Range<usize>| line.end >= begin && line.start < end;
        self.is_hiding || self.unreadable.iter().any(is_inside)
    }

    fn is_unreadable(&self, range: &Range<usize>) -> bool {
        // A value that is not there at all is put at the very beginning by the parser.
        let is_absent = *range == (0..0) && !self.unreadable.is_empty();
        is_absent
            || self
                .unreadable
                .iter()
                .any(|line| range.start <= line.end && line.start <= range.end.max(range.start))
    }

    fn table(
        &self,
        table: DeTable<'_>,
        place: Option<usize>,
        diagnostics: &mut Diagnostics,
    ) -> Table {
        let mut entries: Vec<TableEntry> = Vec::new();
        for (key, value) in table {
            let node = if self.is_unreadable(&key.span()) {
                Node { value: NodeValue::Invalid, span: self.span(&value.span()) }
            } else {
                self.node(value, diagnostics)
            };
            let key_span = self.span(&key.span());
            entries.push(TableEntry { key: key.into_inner().into_owned(), key_span, node });
        }
        entries.sort_by_key(|entry| entry.key_span.start);
        Table { entries, incomplete: self.is_incomplete(place) }
    }

    fn node(&self, value: Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Node {
        let range = value.span();
        let span = self.span(&range);
        if self.is_unreadable(&range) {
            return Node { value: NodeValue::Invalid, span };
        }
        let value = match value.into_inner() {
            DeValue::String(text) => NodeValue::String(text.into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(NodeValue::Invalid, NodeValue::Integer),
            DeValue::Float(number) => {
                number.as_str().parse().map_or(NodeValue::Invalid, NodeValue::Float)
            }
            DeValue::Boolean(value) => NodeValue::Boolean(value),
            DeValue::Datetime(date) => NodeValue::Datetime(date.to_string()),
            DeValue::Array(list) => NodeValue::Array(
                list.into_iter().map(|item| self.node(item, diagnostics)).collect(),
            ),
            DeValue::Table(table) => {
                NodeValue::Table(self.table(table, Some(range.start), diagnostics))
            }
        };
        if value == NodeValue::Invalid {
            let message = "the number is too large";
            diagnostics.report(Code::OUT_OF_RANGE, span, message, "does not fit into 64 bits");
        }
        Node { value, span }
    }
}

/// The parser's message as a sentence and what was expected.
fn describe_error(message: &str, is_nothing: bool) -> (String, String) {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let (what, label) = match what {
        "string values must be quoted" if is_nothing => ("a value is missing", "expected a value"),
        "string values must be quoted" => {
            ("the value has no quotes", "texts and quantities stand between double quotes")
        }
        _ => (what, ""),
    };
    let label = match (label, expected) {
        ("", "") => "cannot be read".to_owned(),
        ("", expected) => format!("expected {expected}"),
        (label, _) => label.to_owned(),
    };
    (format!("this is not valid TOML: {what}"), label)
}

/// Where the tables under a table have their headers (or themselves, where they stand inline).
fn header_places(table: &DeTable<'_>, places: &mut BTreeSet<usize>) {
    let mut visit = |value: &Spanned<DeValue<'_>>| {
        places.insert(value.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            header_places(inner, places);
        }
    };
    for value in table.values() {
        match value.get_ref() {
            DeValue::Array(list) => list.iter().for_each(&mut visit),
            _ => visit(value),
        }
    }
}

/// The bytes of the line in which a position lies, without its line break.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let at = at.min(bytes.len());
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |found| found + 1);
    let end = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |n| at + n);
    start..end
}

/// Whether a table header begins between two positions.
fn has_header(text: &str, after: usize, before: usize) -> bool {
    let between = text.get(after..before).unwrap_or_default();
    between.lines().skip(1).any(|line| line.trim_start().starts_with('['))
}

fn name_at(text: &str, range: &Range<usize>) -> String {
    format!("`{}`", text.get(range.clone()).unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Table, Vec<String>) {
        let mut diagnostics = Diagnostics::new();
        let table = parse_as_written(text, SourceId::FILE, &mut diagnostics);
        let list = diagnostics.into_sorted();
        let show = |d: &crate::Diagnostic| {
            let marked = text.get(d.span.start..d.span.end).unwrap_or("?");
            format!("{} {} @{marked}", d.code, d.message)
        };
        (table, list.iter().map(show).collect())
    }

    #[test]
    fn entries_keep_the_order_of_the_text_and_their_places() {
        let (table, errors) = parse("z = 1\na = \"é\"\n[m]\nx.y = 2027-01-18 17:00:00Z\n");
        assert_eq!(errors, Vec::<String>::new());
        let keys: Vec<&str> = table.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["z", "a", "m"]);
        let a = table.get("a").unwrap();
        assert_eq!((a.span.start, a.span.end), (10, 14));
        let NodeValue::Table(m) = &table.get("m").unwrap().value else { panic!() };
        let NodeValue::Table(x) = &m.get("x").unwrap().value else { panic!() };
        let date = NodeValue::Datetime("2027-01-18T17:00:00Z".to_owned());
        assert_eq!(x.get("y").unwrap().value, date);
    }

    #[test]
    fn several_syntax_errors_come_out_of_one_text_each_once() {
        let (table, errors) =
            parse("a = 10 min\nb = 2\nc = \"open\nd = [1,\n2]\ne = \nf = 99999999999999999999\n");
        let expected = [
            "S001 this is not valid TOML: the value has no quotes @10 min",
            "S001 this is not valid TOML: invalid basic string @",
            "S001 this is not valid TOML: a value is missing @",
            "S006 the number is too large @99999999999999999999",
        ];
        assert_eq!(errors, expected);
        assert!(table.incomplete);
        for (key, readable) in [("a", false), ("b", true), ("c", false), ("d", true), ("e", false)]
        {
            assert_eq!(table.get(key).unwrap().value != NodeValue::Invalid, readable, "{key}");
        }
    }

    #[test]
    fn only_the_tables_around_a_syntax_error_are_incomplete() {
        let incomplete = |text: &str| {
            let (table, _) = parse(text);
            let of = |name: &str| match table.get(name).map(|node| &node.value) {
                Some(NodeValue::Table(table)) => Some(table.incomplete),
                _ => None,
            };
            (table.incomplete, of("a"), of("b"))
        };
        assert_eq!(incomplete("[a]\nx = 1\n[b]\ny = 1\n"), (false, Some(false), Some(false)));
        assert_eq!(incomplete("[a]\nx = 1 2\n[b]\ny = 1\n"), (false, Some(true), Some(false)));
        assert_eq!(incomplete("x = 1 2\n[a]\n[b]\ny = 1\n"), (true, Some(false), Some(false)));
        // Here the parser gives up, and there may be anything behind.
        assert_eq!(incomplete("[a]\nnonsense\n[b]\ny = 1\n"), (true, Some(true), None));
        assert_eq!(incomplete("[a]\n[b\ny = 1\n"), (true, Some(true), None));
    }

    #[test]
    fn what_stands_twice_is_reported_once() {
        let (table, errors) = parse("a = 1\na = 2\n[t]\nx = 1\n[t]\nx = 1\n[u]\ny = 1\ny = 2\n");
        let expected = [
            "S002 key `a` stands twice @a",
            "S002 table `t` stands twice @t",
            "S002 key `y` stands twice @y",
        ];
        assert_eq!(errors, expected);
        assert_eq!(table.get("a").unwrap().value, NodeValue::Integer(1));
    }
}
