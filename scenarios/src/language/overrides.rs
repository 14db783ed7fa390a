//! Values changed from outside: `--set device.home.report_every="5 s"`.
//!
//! An address is section, name, key, joined by dots; a table without a name, or with any, may be
//! given by its number from 1. Keys of nested tables and numbers of list items may follow.

use lastmeter_params::{
    Code, Diagnostics, Field, Node, NodeValue, Span, Table, TableEntry, nearest, parse_override,
};

use super::sections::{SingleSection, sections, single_sections};
use super::texts::Texts;

/// Puts one override into the scenario's tables, or reports why that cannot be.
pub(crate) fn apply(
    root: &mut Table,
    option: &str,
    text: &str,
    texts: &mut Texts,
    diagnostics: &mut Diagnostics,
) {
    let source = texts.add(option, text);
    let whole = Span { source, start: 0, end: text.len() };
    let Some((address, _)) = text.split_once('=') else {
        let message = "an override has an address, `=` and a value";
        let help = "write for example `--set scenario.duration=\"10 min\"`".to_owned();
        diagnostics.report_with_help(
            Code::OVERRIDE_FORM,
            whole,
            message,
            "no `=` here",
            Some(help),
        );
        return;
    };
    let start = address.len() - address.trim_start().len();
    let span = Span { source, start, end: address.trim_end().len().max(start) };
    let node = parse_override(text, address.len() + 1, source);
    let address = address.trim();
    if !set(root, address, span, node) && !root.incomplete {
        let near = nearest_address(root, address);
        let message = format!("`{address}` addresses nothing in this scenario");
        let help = near.map(|near| format!("did you mean `{near}`?"));
        diagnostics.report_with_help(Code::OVERRIDE_ADDRESS, span, message, "no such value", help);
    }
}

/// Sets the value at an address; false if there is no such place.
fn set(root: &mut Table, address: &str, span: Span, node: Node) -> bool {
    let Some((section, rest)) = address.split_once('.') else { return false };
    if let Some(SingleSection { name, fields, .. }) =
        single_sections().into_iter().find(|known| known.name == section)
    {
        if root.get(name).is_none() {
            let value = NodeValue::Table(Table::default());
            root.set(name, span, Node { value, span });
        }
        let Some(NodeValue::Table(table)) = root.get_mut(name).map(|node| &mut node.value) else {
            return false;
        };
        return set_key(table, Some(&[fields]), rest, span, node);
    }
    let Some(section) = sections().into_iter().find(|known| known.name == section) else {
        return false;
    };
    let Some(NodeValue::Array(list)) = root.get_mut(section.name).map(|node| &mut node.value)
    else {
        return false;
    };
    let Some((index, key)) = find_row(list, rest) else { return false };
    let NodeValue::Table(table) = &mut list[index].value else { return false };
    match (section.entry_of(table), section.kind_key) {
        (Some(entry), _) => set_key(table, Some(&[section.fields, entry.fields]), key, span, node),
        (None, None) => set_key(table, Some(&[section.fields]), key, span, node),
        // Which keys it has is not known.
        (None, Some(_)) => set_key(table, None, key, span, node),
    }
}

/// The table that an address without its section begins with, and the rest of the address.
/// Names may contain dots, so the longest name that fits is meant.
fn find_row<'a>(list: &[Node], rest: &'a str) -> Option<(usize, &'a str)> {
    let by_name = list.iter().enumerate().filter_map(|(index, node)| {
        let NodeValue::Table(table) = &node.value else { return None };
        let name = table.text("name")?;
        Some((index, rest.strip_prefix(name)?.strip_prefix('.')?))
    });
    let by_number = || {
        let (number, key) = rest.split_once('.')?;
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        (index < list.len()).then_some((index, key))
    };
    by_name.min_by_key(|(_, key)| key.len()).or_else(by_number)
}

/// Sets a key of a table, which has to be there already or be one of its fields.
fn set_key(
    table: &mut Table,
    groups: Option<&[&[Field]]>,
    key: &str,
    span: Span,
    node: Node,
) -> bool {
    let known = |key: &str| {
        groups.is_none_or(|groups| {
            groups.iter().flat_map(|group| group.iter()).any(|field| field.name == key)
        })
    };
    if table.entry(key).is_some() || (!key.contains('.') && known(key)) {
        table.set(key, span, node);
        return true;
    }
    let Some((first, rest)) = key.split_once('.') else { return false };
    table.get_mut(first).is_some_and(|inner| set_within(inner, rest, span, node))
}

fn set_within(place: &mut Node, key: &str, span: Span, node: Node) -> bool {
    match &mut place.value {
        // Which keys a nested table takes is known when it is read; an unknown one is told then.
        NodeValue::Table(table) => set_key(table, None, key, span, node),
        NodeValue::Array(list) => {
            let (number, rest) = key.split_once('.').unwrap_or((key, ""));
            let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let Some(item) = index.and_then(|index| list.get_mut(index)) else { return false };
            if rest.is_empty() {
                *item = node;
                return true;
            }
            set_within(item, rest, span, node)
        }
        _ => false,
    }
}

/// The right address nearest to one that addresses nothing.
fn nearest_address(root: &Table, address: &str) -> Option<String> {
    let mut addresses = Vec::new();
    for SingleSection { name, fields, .. } in single_sections() {
        addresses.extend(fields.iter().map(|field| format!("{name}.{}", field.name)));
    }
    for section in sections() {
        let Some(NodeValue::Array(list)) = root.get(section.name).map(|node| &node.value) else {
            continue;
        };
        for (index, node) in list.iter().enumerate() {
            let NodeValue::Table(table) = &node.value else { continue };
            let own = section.entry_of(table).map_or(&[][..], |entry| entry.fields);
            let name = table.text("name").map_or_else(|| (index + 1).to_string(), str::to_owned);
            let fields = section.fields.iter().chain(own).map(|field| field.name);
            let written = table.entries.iter().map(|entry: &TableEntry| entry.key.as_str());
            addresses
                .extend(fields.chain(written).map(|key| format!("{}.{name}.{key}", section.name)));
        }
    }
    nearest(address, addresses.iter().map(String::as_str)).map(str::to_owned)
}
