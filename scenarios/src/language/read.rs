//! From TOML tables to the rows of each section, before anything is looked up across sections.

use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostics, Entry, Field, Node, NodeValue, SourceId, Span, Table, Values, nearest,
    read_named_table,
};

use super::sections::{FORMAT, Section, sections, single_sections};

/// One table of a section that repeats. What is wrong with it has been reported; what can be told
/// about it can still be asked, so that one mistake does not hide or cause others.
pub(crate) struct Row<'a, K> {
    pub(crate) table: &'a Table,
    pub(crate) span: Span,
    /// The registered kind, if it has a known one.
    pub(crate) kind: Option<K>,
    /// Its checked values, if it has no mistake.
    pub(crate) values: Option<Arc<Values>>,
}

impl<'a, K> Row<'a, K> {
    pub(crate) fn name(&self) -> Option<&'a str> {
        self.table.text("name")
    }

    /// The text of a key with its place, if it is there and text.
    pub(crate) fn text(&self, key: &str) -> Option<(&'a str, Span)> {
        let node = self.table.get(key)?;
        match &node.value {
            NodeValue::String(text) => Some((text, node.span)),
            _ => None,
        }
    }
}

/// A section that stands once.
pub(crate) struct Single<'a> {
    pub(crate) table: &'a Table,
    pub(crate) values: Option<Arc<Values>>,
}

/// Checks the version and the names of the sections; returns the sections that misspelt ones were
/// probably meant to be, which are then not missing as well.
pub(crate) fn check_root(root: &Table, diagnostics: &mut Diagnostics) -> Vec<&'static str> {
    let file = Span { source: SourceId::FILE, start: 0, end: 0 };
    let known: Vec<&'static str> = ["format"]
        .into_iter()
        .chain(single_sections().map(|section| section.name))
        .chain(sections().into_iter().filter(|it| it.within().is_none()).map(|it| it.name))
        .collect();
    let mut meant = Vec::new();
    for entry in &root.entries {
        if known.contains(&entry.key.as_str()) || entry.node.value == NodeValue::Invalid {
            continue;
        }
        let free = known.iter().copied().filter(|name| root.entry(name).is_none());
        let near = nearest(&entry.key, free);
        meant.extend(near);
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the sections are {}", known[1..].join(", ")),
        };
        let message = format!("unknown section or key `{}`", entry.key);
        let label = "not part of a scenario";
        diagnostics.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, Some(help));
    }
    match root.get("format") {
        None if root.incomplete || meant.contains(&"format") => {}
        None => diagnostics.report_with_help(
            Code::MISSING_KEY,
            file,
            "key `format` is missing",
            "a scenario begins with its format version",
            Some(format!("write `format = {FORMAT}` on the first line")),
        ),
        Some(Node { value: NodeValue::Integer(FORMAT) | NodeValue::Invalid, .. }) => {}
        Some(node) => diagnostics.report(
            Code::FORMAT_VERSION,
            node.span,
            "this version of lastmeter reads another format",
            format!("expected {FORMAT}"),
        ),
    }
    if root.get("scenario").is_none() && !root.incomplete && !meant.contains(&"scenario") {
        let help = "write `[scenario]` with at least `name` and `duration`".to_owned();
        let message = "table `[scenario]` is missing";
        diagnostics.report_with_help(Code::MISSING_KEY, file, message, "in this file", Some(help));
    }
    meant
}

/// Reads a section that stands once, if it is there.
pub(crate) fn single<'a>(
    root: &'a Table,
    name: &str,
    fields: &[Field],
    diagnostics: &mut Diagnostics,
) -> Option<Single<'a>> {
    let node = root.get(name)?;
    match &node.value {
        NodeValue::Table(table) => {
            let values = read_named_table(table, node.span, (Some(name), &[fields]), diagnostics);
            Some(Single { table, values: values.map(Arc::new) })
        }
        NodeValue::Invalid => None,
        value => {
            let message = format!("`{name}` is one table, and this is {}", value.describe());
            let help = format!("write `[{name}]` with single brackets, once");
            diagnostics.report_with_help(
                Code::WRONG_KIND,
                node.span,
                message,
                "expected a table",
                Some(help),
            );
            None
        }
    }
}

/// The tables of a section that repeats, with their places.
fn tables<'a>(
    root: &'a Table,
    section: &Section,
    diagnostics: &mut Diagnostics,
) -> Vec<(&'a Table, Span)> {
    let key = section.within().map_or(section.name, |(_, key)| key);
    let list = match root.get(key).map(|node| (&node.value, node.span)) {
        Some((NodeValue::Array(list), _)) => list.as_slice(),
        None | Some((NodeValue::Invalid, _)) => &[],
        Some((_, span)) => {
            report_no_table(section, span, diagnostics);
            &[]
        }
    };
    let mut tables = Vec::new();
    for node in list {
        match &node.value {
            NodeValue::Table(table) => tables.push((table, node.span)),
            NodeValue::Invalid => {}
            _ => report_no_table(section, node.span, diagnostics),
        }
    }
    tables
}

/// Reads the tables of a section that repeats.
pub(crate) fn rows<'a, K: Copy>(
    root: &'a Table,
    section: &Section,
    kinds: impl Iterator<Item = K>,
    entry_of: fn(K) -> &'static Entry,
    diagnostics: &mut Diagnostics,
) -> Vec<Row<'a, K>> {
    let kinds: Vec<(&'static Entry, K)> = kinds.map(|kind| (entry_of(kind), kind)).collect();
    let tables = tables(root, section, diagnostics).into_iter();
    let row = |(table, span)| {
        let kind = kind_of(table, span, section, &kinds, diagnostics);
        let values = kind.and_then(|(entry, _)| {
            let fields: &[&[Field]] = &[section.fields, entry.fields];
            read_named_table(table, span, (Some(entry.name), fields), diagnostics)
        });
        Row { table, span, kind: kind.map(|(_, kind)| kind), values: values.map(Arc::new) }
    };
    tables.map(row).collect()
}

/// Reads the tables of a section that repeats and whose tables are all of one kind.
pub(crate) fn plain_rows<'a>(
    root: &'a Table,
    section: &Section,
    diagnostics: &mut Diagnostics,
) -> Vec<Row<'a, ()>> {
    let tables = tables(root, section, diagnostics).into_iter();
    let row = |(table, span)| {
        let named = (Some(section.name), &[section.fields][..]);
        let values = read_named_table(table, span, named, diagnostics);
        Row { table, span, kind: Some(()), values: values.map(Arc::new) }
    };
    tables.map(row).collect()
}

fn report_no_table(section: &Section, span: Span, diagnostics: &mut Diagnostics) {
    let name = section.name;
    diagnostics.report_with_help(
        Code::WRONG_KIND,
        span,
        format!("`{name}` is a section whose tables repeat"),
        format!("expected `[[{name}]]`"),
        Some(format!("write `[[{name}]]` with double brackets")),
    );
}

/// Which of the registered kinds a table is.
fn kind_of<K: Copy>(
    table: &Table,
    span: Span,
    section: &Section,
    kinds: &[(&'static Entry, K)],
    diagnostics: &mut Diagnostics,
) -> Option<(&'static Entry, K)> {
    let key = section.kind_key?;
    let names = || kinds.iter().map(|(entry, _)| entry.name);
    let Some(node) = table.get(key) else {
        report_missing_kind(table, span, section, key, diagnostics);
        return None;
    };
    let NodeValue::String(text) = &node.value else {
        if node.value != NodeValue::Invalid {
            let found = node.value.describe();
            let message = format!("`{key}` takes text, and this is {found}");
            diagnostics.report(Code::WRONG_KIND, node.span, message, "expected text");
        }
        return None;
    };
    let found = kinds.iter().find(|(entry, _)| entry.name == text);
    if found.is_none() {
        let help = match nearest(text, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("unknown {} `{text}`", section.noun);
        let label = "nothing of this name is registered";
        diagnostics.report_with_help(Code::UNKNOWN_THING, node.span, message, label, Some(help));
    }
    found.copied()
}

/// Without its kind nothing else is known about a table's keys, so this is all that is said: of a
/// key that is probably the misspelt one, or else of the table.
fn report_missing_kind(
    table: &Table,
    span: Span,
    section: &Section,
    key: &str,
    diagnostics: &mut Diagnostics,
) {
    let misspelt = table.entries.iter().find(|entry| {
        let names = section.fields.iter().map(|field| field.name);
        section.fields.iter().all(|field| field.name != entry.key)
            && nearest(&entry.key, names) == Some(key)
    });
    if let Some(entry) = misspelt {
        let message = format!("unknown key `{}`", entry.key);
        let help = format!("did you mean `{key}`?");
        let code = Code::UNKNOWN_KEY;
        diagnostics.report_with_help(code, entry.key_span, message, "not a key here", Some(help));
    } else if !table.incomplete {
        let message = format!("key `{key}` is missing");
        let label = format!("needs a {}", section.noun);
        let names: Vec<&str> = section.entries().iter().map(|entry| entry.name).collect();
        let help = format!("there are {}", names.join(", "));
        diagnostics.report_with_help(Code::MISSING_KEY, span, message, label, Some(help));
    }
}
