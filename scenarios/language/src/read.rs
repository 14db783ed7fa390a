//! From TOML to the tables of each section, before anything is looked up across sections.

use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostics, Entry, Node, NodeValue, Span, Table, nearest, read_named_table,
};

use super::draft::{Draft, FILE_START, FORMAT, Row, Section, once_first};

pub(crate) fn table_at<'a>(table: &'a Table, key: &str) -> Option<&'a Table> {
    match &table.get(key)?.value {
        NodeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The same, to change it.
pub(crate) fn table_at_mut<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    match &mut table.get_mut(key)?.value {
        NodeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The items of the list at a key; none if there is no list.
pub(crate) fn list_at<'a>(table: &'a Table, key: &str) -> &'a [Node] {
    match table.get(key).map(|node| &node.value) {
        Some(NodeValue::Array(list)) => list,
        _ => &[],
    }
}

/// Reads every table of these sections, which stand in the order of a file.
pub(crate) fn draft<'a>(
    root: &'a Table,
    sections: &'static [&'static Section],
    out: &mut Diagnostics,
) -> Draft<'a> {
    let misspelt = check_root(root, sections, out);
    let mut all: Vec<(&'static Section, Vec<Row<'a>>)> = Vec::with_capacity(sections.len());
    for &section in sections {
        let rows = if section.repeats {
            rows(root, section, out)
        } else {
            let inner = sections.iter().filter_map(|other| other.within());
            let inner = inner.filter(|(outer, _)| *outer == section.name).map(|(_, key)| key);
            single(root, section, &inner.collect::<Vec<_>>(), out).into_iter().collect()
        };
        all.push((section, rows));
    }
    Draft { root, misspelt, sections: all }
}

/// Checks the version and the names of the sections; returns the sections that misspelt ones were
/// probably meant to be, which are then not missing as well.
fn check_root(
    root: &Table,
    sections: &'static [&'static Section],
    out: &mut Diagnostics,
) -> Vec<&'static str> {
    let known = once_first(sections).filter(|it| it.within().is_none()).map(|it| it.name);
    let known: Vec<&'static str> = std::iter::once("format").chain(known).collect();
    let mut meant = Vec::new();
    for entry in &root.entries {
        if known.contains(&entry.key.as_str()) || entry.node.value == NodeValue::Invalid {
            continue;
        }
        let free = known.iter().copied().filter(|name| root.entry(name).is_none());
        let near = nearest(&entry.key, free);
        meant.extend(near); // it is not reported as missing as well
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the sections are {}", known[1..].join(", ")),
        };
        let message = format!("unknown section or key `{}`", entry.key);
        let label = "not part of a scenario";
        out.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, Some(help));
    }
    match root.get("format") {
        None if root.incomplete || meant.contains(&"format") => {}
        None => out.report_with_help(
            Code::MISSING_KEY,
            FILE_START,
            "key `format` is missing",
            "a scenario begins with its format version",
            Some(format!("write `format = {FORMAT}` on the first line")),
        ),
        Some(Node { value: NodeValue::Integer(FORMAT) | NodeValue::Invalid, .. }) => {}
        Some(node) => out.report(
            Code::FORMAT_VERSION,
            node.span,
            "this version of lastmeter reads another format",
            format!("expected {FORMAT}"),
        ),
    }
    if root.get("scenario").is_none() && !root.incomplete && !meant.contains(&"scenario") {
        let help = "write `[scenario]` with at least `name` and `duration`".to_owned();
        let message = "table `[scenario]` is missing";
        out.report_with_help(Code::MISSING_KEY, FILE_START, message, "in this file", Some(help));
    }
    meant
}

/// Reads a section that stands once, if it is there.
fn single<'a>(
    root: &'a Table,
    section: &Section,
    inner: &[&str],
    out: &mut Diagnostics,
) -> Option<Row<'a>> {
    let (name, fields) = (section.name, section.fields);
    let node = root.get(name)?;
    match &node.value {
        NodeValue::Table(table) => {
            let mut own = table.clone();
            own.entries.retain(|entry| !inner.contains(&entry.key.as_str()));
            let values = read_named_table(&own, node.span, (Some(name), &[fields]), out);
            Some(Row { table, span: node.span, kind: None, values: values.map(Arc::new) })
        }
        NodeValue::Invalid => None,
        value => {
            let message = format!("`{name}` is one table, and this is {}", value.describe());
            let help = format!("write `[{name}]` with single brackets, once");
            out.report_with_help(
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

/// Where a section stands in a file, if it does.
pub(crate) fn place_of<'a>(root: &'a Table, section: &Section) -> Option<&'a Node> {
    let Some((outer, key)) = section.within() else { return root.get(section.name) };
    table_at(root, outer)?.get(key)
}

/// The tables of a section that repeats, with their places.
fn tables<'a>(root: &'a Table, section: &Section, out: &mut Diagnostics) -> Vec<(&'a Table, Span)> {
    let list = match place_of(root, section).map(|node| (&node.value, node.span)) {
        Some((NodeValue::Array(list), _)) => list.as_slice(),
        None | Some((NodeValue::Invalid, _)) => &[],
        Some((_, span)) => {
            report_no_table(section, span, out);
            &[]
        }
    };
    let mut tables = Vec::new();
    for node in list {
        match &node.value {
            NodeValue::Table(table) => tables.push((table, node.span)),
            NodeValue::Invalid => {}
            _ => report_no_table(section, node.span, out),
        }
    }
    tables
}

/// Reads the tables of a section that repeats.
fn rows<'a>(root: &'a Table, section: &Section, out: &mut Diagnostics) -> Vec<Row<'a>> {
    let entries = (section.entries)();
    let tables = tables(root, section, out).into_iter();
    let row = |(table, span)| {
        let of_kind = |kind| kind_of((table, span), (section, kind), &entries, out);
        let entry = section.kind.map(of_kind);
        let values = match entry {
            None => Some((section.name, &[][..])),
            Some(entry) => entry.map(|entry| (entry.name, entry.fields)),
        };
        let values = values.and_then(|(name, own)| {
            read_named_table(table, span, (Some(name), &[section.fields, own]), out)
        });
        let kind = entry.flatten().map(|entry| entry.name);
        Row { table, span, kind, values: values.map(Arc::new) }
    };
    tables.map(row).collect()
}

fn report_no_table(section: &Section, span: Span, out: &mut Diagnostics) {
    let name = section.name;
    out.report_with_help(
        Code::WRONG_KIND,
        span,
        format!("`{name}` is a section whose tables repeat"),
        format!("expected `[[{name}]]`"),
        Some(format!("write `[[{name}]]` with double brackets")),
    );
}

/// Which of the registered kinds a table is.
fn kind_of(
    (table, span): (&Table, Span),
    (section, (key, noun)): (&Section, (&str, &str)),
    entries: &[Entry],
    out: &mut Diagnostics,
) -> Option<Entry> {
    let names = || entries.iter().map(|entry| entry.name);
    let Some(node) = table.get(key) else {
        report_missing_kind((table, span), (section, (key, noun)), entries, out);
        return None;
    };
    let NodeValue::String(text) = &node.value else {
        if node.value != NodeValue::Invalid {
            let found = node.value.describe();
            let message = format!("`{key}` takes text, and this is {found}");
            out.report(Code::WRONG_KIND, node.span, message, "expected text");
        }
        return None;
    };
    let found = section.entry_called(entries, text);
    if found.is_none() {
        let help = match nearest(text, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("unknown {noun} `{text}`");
        let label = "nothing of this name is registered";
        out.report_with_help(Code::UNKNOWN_THING, node.span, message, label, Some(help));
    }
    found
}

/// Without its kind nothing else is known about a table's keys, so this is all that is reported: a
/// key that is probably the misspelt one, or else of the table.
fn report_missing_kind(
    (table, span): (&Table, Span),
    (section, (key, noun)): (&Section, (&str, &str)),
    entries: &[Entry],
    out: &mut Diagnostics,
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
        out.report_with_help(code, entry.key_span, message, "unexpected here", Some(help));
    } else if !table.incomplete {
        let message = format!("key `{key}` is missing");
        let label = format!("needs a {noun}");
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        let help = format!("there are {}", names.join(", "));
        out.report_with_help(Code::MISSING_KEY, span, message, label, Some(help));
    }
}
