//! Tables with their lines: fields are taken one by one, by keys that are listed.

use std::cell::RefCell;

use toml::de::{DeTable, DeValue};

use super::unit::Unit;
use crate::format::Mistakes;

/// A text and the mistakes found in it.
pub(super) struct Source<'a> {
    file: &'a str,
    /// Where lines begin, but the first.
    begins: Vec<usize>,
    pub(super) mistakes: RefCell<Mistakes>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let begins = ends.map(|(at, _)| at + 1).collect();
        Self { file, begins, mistakes: RefCell::new(Mistakes::default()) }
    }

    /// The line at a byte, from 1.
    pub(super) fn line(&self, at: usize) -> u32 {
        self.begins.partition_point(|&begin| begin <= at) as u32 + 1
    }

    pub(super) fn refuse(&self, line: u32, what: impl Into<String>) {
        self.mistakes.borrow_mut().add(self.file, line, what);
    }
}

/// One table of the file.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// What it is called in messages.
    what: String,
    /// The line on which it begins.
    pub(super) line: u32,
    fields: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        what: impl Into<String>,
        at: usize,
        fields: &'a DeTable<'a>,
    ) -> Self {
        let line = source.line(at);
        Self { source, what: what.into(), line, fields }
    }

    /// Sets what it is, once its name is known.
    pub(super) fn set_name(&mut self, what: String) {
        self.what = what;
    }

    pub(super) fn field(&self, name: &str) -> Option<(&'a DeValue<'a>, u32)> {
        let value = self.fields.get(name)?;
        Some((value.get_ref(), self.source.line(value.span().start)))
    }

    /// Refuses something about a field.
    pub(super) fn refuse(&self, line: u32, what: &str) {
        self.source.refuse(line, format!("{}: {what}", self.what));
    }

    /// Refuses a field as it is written, with what is expected of it.
    pub(super) fn refuse_found(&self, name: &str, expected: &str) {
        self.refuse(self.line_of(&[name]), &format!("{} is found, {expected}", self.found(name)));
    }

    /// Refuses the whole table for a field that is missing.
    pub(super) fn missing(&self, name: &str) {
        self.refuse(self.line, &format!("{name} is missing"));
    }

    pub(super) fn text(&self, name: &str) -> Option<(&'a str, u32)> {
        let (value, line) = self.field(name)?;
        if let DeValue::String(text) = value {
            return Some((text, line));
        }
        self.refuse(line, &format!("{name} is no text; write it in quotes"));
        None
    }

    pub(super) fn need_text(&self, name: &str) -> Option<(&'a str, u32)> {
        if !self.fields.contains_key(name) {
            self.missing(name);
        }
        self.text(name)
    }

    /// Which end a text names, 0 is `from`, if it is there; an error if it names none.
    pub(super) fn end_named(&self, name: &str) -> Result<Option<usize>, ()> {
        let Some((text, line)) = self.text(name) else { return Ok(None) };
        let end = ["from", "to"].into_iter().position(|end| end == text);
        if end.is_none() {
            self.refuse(line, &format!("{name} is {text:?}, \"from\" or \"to\" is expected"));
        }
        end.map(Some).ok_or(())
    }

    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        let (value, line) = self.field(name)?;
        if let DeValue::Boolean(truth) = value {
            return Some(*truth);
        }
        self.refuse(line, &format!("{name} is neither true nor false"));
        None
    }

    pub(super) fn whole(&self, name: &str) -> Option<i32> {
        let (value, line) = self.field(name)?;
        let whole = match value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        if whole.is_none() {
            self.refuse(line, &format!("{name} is no whole number"));
        }
        whole
    }

    pub(super) fn figure(&self, name: &str, unit: Unit) -> Option<f64> {
        let (value, line) = self.field(name)?;
        self.value(name, value, line, unit)
    }

    /// A figure that has to be there and above zero.
    pub(super) fn positive(&self, name: &str, unit: Unit) -> Option<f64> {
        if self.field(name).is_none() {
            self.missing(name);
        }
        let figure = self.figure(name, unit)?;
        if figure > 0.0 {
            return Some(figure);
        }
        self.refuse_found(name, "more than 0 is expected");
        None
    }

    /// A figure of zero or more, or its default.
    pub(super) fn not_negative(&self, name: &str, unit: Unit, default: f64) -> Option<f64> {
        if self.field(name).is_none() {
            return Some(default);
        }
        let figure = self.figure(name, unit)?;
        if figure >= 0.0 {
            return Some(figure);
        }
        self.refuse_found(name, "0 or more is expected");
        None
    }

    /// A share that is at most the whole. More is per cent without their sign, as a rule.
    pub(super) fn at_most_whole(&self, name: &str, share: f64) -> Option<f64> {
        if share <= 1.0 {
            return Some(share);
        }
        let percent = (share * 1e8).round() / 1e6;
        if self.found(name).contains('%') {
            self.refuse_found(name, "at most \"100 %\" is expected");
        } else {
            let what = format!("which is {percent} %; write \"{share} %\" if it is meant so");
            self.refuse_found(name, &what);
        }
        None
    }

    /// A field as it is written.
    pub(super) fn found(&self, name: &str) -> String {
        match self.field(name).map(|it| it.0) {
            Some(DeValue::String(text)) => format!("{name} = {text:?}"),
            Some(DeValue::Integer(it)) => format!("{name} = {it}"),
            Some(DeValue::Float(it)) => format!("{name} = {it}"),
            Some(DeValue::Array(list)) => {
                let each = list.iter().map(|it| match it.get_ref() {
                    DeValue::String(text) => format!("{text:?}"),
                    DeValue::Integer(it) => it.to_string(),
                    DeValue::Float(it) => it.to_string(),
                    _ => "...".to_owned(),
                });
                format!("{name} = [{}]", each.collect::<Vec<_>>().join(", "))
            }
            _ => name.to_owned(),
        }
    }

    /// The line of the first of these fields that is there, or else of the table.
    pub(super) fn line_of(&self, names: &[&str]) -> u32 {
        names.iter().find_map(|name| self.field(name)).map_or(self.line, |it| it.1)
    }

    /// A list of figures; one figure is a list of one.
    pub(super) fn figures(&self, name: &str, unit: Unit) -> Option<(Vec<f64>, u32)> {
        let (value, line) = self.field(name)?;
        let DeValue::Array(list) = value else {
            return Some((vec![self.value(name, value, line, unit)?], line));
        };
        let figures = list.iter().map(|item| {
            let line = self.source.line(item.span().start);
            self.value(name, item.get_ref(), line, unit)
        });
        Some((figures.collect::<Option<_>>()?, line))
    }

    /// A matrix of figures.
    pub(super) fn matrix(&self, name: &str, unit: Unit) -> Option<(Vec<Vec<f64>>, u32)> {
        let (value, line) = self.field(name)?;
        let DeValue::Array(rows) = value else {
            self.refuse(line, &format!("{name} is no list of rows"));
            return None;
        };
        let mut matrix = Vec::new();
        for row in rows {
            let line = self.source.line(row.span().start);
            let DeValue::Array(items) = row.get_ref() else {
                self.refuse(line, &format!("{name}: a row is a list of numbers"));
                return None;
            };
            let figures = items.iter().map(|item| self.value(name, item.get_ref(), line, unit));
            matrix.push(figures.collect::<Option<Vec<f64>>>()?);
        }
        Some((matrix, line))
    }

    fn value(&self, name: &str, value: &DeValue<'_>, line: u32, unit: Unit) -> Option<f64> {
        let read = match value {
            DeValue::String(text) => unit.read(text),
            DeValue::Integer(number) if unit == Unit::Share => unit.read(number.as_str()),
            DeValue::Float(number) if unit == Unit::Share => unit.read(number.as_str()),
            DeValue::Integer(number) => Err(unit.without(number.as_str())),
            DeValue::Float(number) => Err(unit.without(number.as_str())),
            _ => Err(format!("a value with its unit is expected, such as {}", unit.example("2.5"))),
        };
        read.map_err(|what| self.refuse(line, &format!("{name}: {what}"))).ok()
    }

    pub(super) fn table(&self, name: &str) -> Option<Table<'a>> {
        let (value, line) = self.field(name)?;
        let span = self.fields.get(name)?.span();
        if let DeValue::Table(fields) = value {
            return Some(Table::new(
                self.source,
                format!("{}: {name}", self.what),
                span.start,
                fields,
            ));
        }
        self.refuse(line, &format!("{name} is no table"));
        None
    }

    pub(super) fn tables(&self, name: &str) -> Vec<Table<'a>> {
        let Some((value, line)) = self.field(name) else { return Vec::new() };
        let DeValue::Array(list) = value else {
            self.refuse(line, &format!("{name} is no list of tables; write [[{name}]]"));
            return Vec::new();
        };
        let tables = list.iter().filter_map(|item| {
            if let DeValue::Table(fields) = item.get_ref() {
                return Some(Table::new(self.source, name, item.span().start, fields));
            }
            self.refuse(line, &format!("{name} is no list of tables; write [[{name}]]"));
            None
        });
        tables.collect()
    }

    /// Refuses the fields that are none of the known ones, which stand with blanks between them.
    pub(super) fn end(&self, known: &str) {
        let known: Vec<&str> = known.split_whitespace().collect();
        for (name, _) in self.fields {
            if !known.contains(&&**name.get_ref()) {
                let line = self.source.line(name.span().start);
                let listed = known.join(", ");
                self.refuse(
                    line,
                    &format!("{} is unknown; expected one of {listed}", name.get_ref()),
                );
            }
        }
    }
}
