//! Values changed from outside: `--set device.home.report_every="5 s"`.
//!
//! An address is section, name, key, joined by dots; a table without a name, or with any, may be
//! given by its number from 1. Keys of nested tables and numbers of list items may follow. Where
//! tables may share a name (`grid.load`), the number among those of that name stands behind it.

use std::collections::BTreeMap;

use lastmeter_params::{
    Code, Diagnostics, Field, Node, NodeValue, Presence, SourceId, Span, Table, TableEntry,
    current_address, nearest, parse_override,
};
use lastmeter_record::Override;

use super::draft::{Naming, Section, once_first};
use super::population;
use super::read::{place_of, table_at_mut};
use super::section::SECTIONS;
use super::section::device::{DEVICE, MEMBER};
use super::texts::Texts;

/// What options have changed of a scenario's file so far.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    list: Vec<Override>,
}

impl Changes {
    /// Notes one; of several of one value the last counts, and what it was before the first.
    fn add(&mut self, option: &str, address: &str, value: &NodeValue, was: Option<String>) {
        let (option, value) = (option.to_owned(), value.to_toml());
        if let Some(known) = self.list.iter_mut().find(|known| known.address == address) {
            (known.option, known.value) = (option, value);
            return;
        }
        self.list.push(Override { option, address: address.to_owned(), value, was });
    }

    /// Those that changed something.
    pub(crate) fn into_overrides(mut self) -> Vec<Override> {
        self.list.retain(|change| change.was.as_ref() != Some(&change.value));
        self.list
    }
}

/// What stood where an override is put, as TOML; `None`: nothing did.
pub(super) struct Previous(pub(super) Option<String>);

/// Puts one override into the scenario's tables, or reports why that cannot be.
pub(crate) fn apply(
    root: &mut Table,
    (option, text): (&str, &str),
    texts: &mut Texts,
    changes: &mut Changes,
    out: &mut Diagnostics,
) {
    let source = texts.add(option, text);
    let whole = Span { source, start: 0, end: text.len() };
    let Some((address, _)) = text.split_once('=') else {
        let message = "an override has an address, `=` and a value";
        let help = "write for example `--set scenario.duration=\"10 min\"`".to_owned();
        out.report_with_help(Code::OVERRIDE_FORM, whole, message, "no `=` here", Some(help));
        return;
    };
    let start = address.len() - address.trim_start().len();
    let span = Span { source, start, end: address.trim_end().len().max(start) };
    let node = parse_override(text, address.len() + 1, source);
    let address = address.trim();
    let value = node.value.clone();
    if let Some(Previous(was)) = put(root, (address, span), node, out) {
        changes.add(option, address, &value, was);
    }
}

/// Puts a value at an address and returns what it replaces, or reports why that cannot be.
pub(super) fn put(
    root: &mut Table,
    (address, span): (&str, Span),
    node: Node,
    out: &mut Diagnostics,
) -> Option<Previous> {
    match set(root, &current_address(address), span, node) {
        Ok(replaced) => Some(replaced),
        Err(unfit) => {
            report(root, (address, span), &unfit, out);
            None
        }
    }
}

/// Reports why an address stands for no value, or for several.
pub(super) fn report(
    root: &Table,
    (address, span): (&str, Span),
    unfit: &BadAddress,
    out: &mut Diagnostics,
) {
    match unfit {
        BadAddress::Shared { head, key, kinds } => {
            let count = kinds.len();
            let message = format!("`{head}` stands for {count} tables, and one is to be changed");
            let label = format!("expected a number from 1 to {count} behind the name");
            let one = |(at, kind): (usize, &String)| format!("`{head}.{}{key}`{kind}", at + 1);
            let each: Vec<String> = kinds.iter().enumerate().map(one).collect();
            let help = Some(format!("write {}", each.join(" or ")));
            out.report_with_help(Code::OVERRIDE_ADDRESS, span, message, label, help);
        }
        BadAddress::Nothing if !root.incomplete => {
            let near = nearest_address(root, address);
            let message = format!("`{address}` addresses nothing in this scenario");
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let label = "no such value";
            out.report_with_help(Code::OVERRIDE_ADDRESS, span, message, label, help);
        }
        BadAddress::Nothing => {}
    }
}

pub(super) enum BadAddress {
    Nothing,
    /// Several tables have the name.
    Shared {
        /// Section and name.
        head: String,
        /// What stands behind them, with the dot before it.
        key: String,
        /// Of each of the tables, what it is; nothing where that is not known.
        kinds: Vec<String>,
    },
}

/// The tables of a section that repeats; none if there is none.
fn list_of<'a>(root: &'a mut Table, section: &Section) -> Option<&'a mut Vec<Node>> {
    let (table, key) = match section.within() {
        None => (root, section.name),
        Some((outer, key)) => (table_at_mut(root, outer)?, key),
    };
    match table.get_mut(key).map(|node| &mut node.value) {
        Some(NodeValue::Array(list)) => Some(list),
        _ => None,
    }
}

/// The section that an address begins with, and the rest of the address.
pub(super) fn section_of(address: &str) -> Option<(&'static Section, &str)> {
    let addressed = |known: &&'static Section| {
        Some((*known, address.strip_prefix(known.name)?.strip_prefix('.')?))
    };
    // `grid.load` stands in `[grid]`: what leaves less of the address is meant.
    SECTIONS.iter().filter_map(addressed).min_by_key(|(_, rest)| rest.len())
}

fn set(root: &mut Table, address: &str, span: Span, node: Node) -> Result<Previous, BadAddress> {
    let (section, rest) = section_of(address).ok_or(BadAddress::Nothing)?;
    if section.repeats {
        let list = list_of(root, section).ok_or(BadAddress::Nothing)?;
        return set_row(list, section, rest, span, node);
    }
    let Section { name, fields, .. } = *section;
    if root.get(name).is_none() {
        let value = NodeValue::Table(Table::default());
        root.set(name, span, Node { value, span });
    }
    let table = table_at_mut(root, name).ok_or(BadAddress::Nothing)?;
    set_key(table, Some(&[fields]), rest, span, node).ok_or(BadAddress::Nothing)
}

/// Sets a value in one of a section's tables.
fn set_row(
    list: &mut [Node],
    section: &Section,
    rest: &str,
    span: Span,
    node: Node,
) -> Result<Previous, BadAddress> {
    let (index, key) = match find_row(list, section, rest) {
        Err(BadAddress::Nothing) if section.name == DEVICE.name => {
            return set_of_member(list, rest, span, node).ok_or(BadAddress::Nothing);
        }
        found => found?,
    };
    let NodeValue::Table(table) = &mut list[index].value else { return Err(BadAddress::Nothing) };
    let replaced = match (section.entry_of(table), section.kind) {
        (Some(entry), _) => set_key(table, Some(&[section.fields, entry.fields]), key, span, node),
        (None, None) => set_key(table, Some(&[section.fields]), key, span, node),
        // Which keys it has is not known.
        (None, Some(_)) => set_key(table, None, key, span, node),
    };
    replaced.ok_or(BadAddress::Nothing)
}

/// Sets a value of one device of a table that makes several: in a `[[device.member]]` of its name,
/// behind those that are there. Whether there is such a device is known when they are made.
fn set_of_member(list: &mut [Node], rest: &str, span: Span, node: Node) -> Option<Previous> {
    let group = list.iter_mut().filter_map(|node| match &mut node.value {
        NodeValue::Table(table) => Some(table),
        _ => None,
    });
    let is_of = |table: &&mut Table| {
        let own = table.text("name").and_then(|name| rest.strip_prefix(name)?.strip_prefix('-'));
        own.is_some() && population::stands_for_several(table)
    };
    let group = group.filter(is_of).max_by_key(|table| table.text("name").map_or(0, str::len))?;
    let fields = DEVICE.entry_of(group).map_or(&[][..], |entry| entry.fields);
    let is_known = |key: &str| DEVICE.fields.iter().chain(fields).any(|field| field.name == key);
    let (name, key) = rest
        .match_indices('.')
        .map(|(at, _)| (&rest[..at], &rest[at + 1..]))
        .find(|(_, key)| is_known(key))?;
    if group.get(MEMBER).is_none() {
        group.set(MEMBER, span, Node { value: NodeValue::Array(Vec::new()), span });
    }
    let NodeValue::Array(members) = &mut group.get_mut(MEMBER)?.value else { return None };
    let mut member = Table::default();
    let name = Node { value: NodeValue::String(name.to_owned()), span };
    member.set("name", span, name);
    member.set(key, span, node);
    members.push(Node { value: NodeValue::Table(member), span });
    Some(Previous(None))
}

/// The table that an address without its section begins with, and the rest of the address.
/// Names may contain dots, so the longest name that fits is meant.
pub(super) fn find_row<'a>(
    list: &[Node],
    section: &Section,
    rest: &'a str,
) -> Result<(usize, &'a str), BadAddress> {
    let numbered = |text: &'a str, count: usize| {
        let (number, key) = text.split_once('.')?;
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        (index < count).then_some((index, key))
    };
    let named = |node: &Node| {
        let NodeValue::Table(table) = &node.value else { return None };
        rest.strip_prefix(table.text("name")?)?.strip_prefix('.')
    };
    let Some(key) = list.iter().filter_map(named).min_by_key(|key| key.len()) else {
        return numbered(rest, list.len()).ok_or(BadAddress::Nothing);
    };
    let name = &rest[..rest.len() - key.len() - 1];
    let is_named = |index: &usize| named(&list[*index]).is_some_and(|own| own == key);
    let same: Vec<usize> = (0..list.len()).filter(is_named).collect();
    let with_number = numbered(key, same.len());
    // Where names may not be shared, that they are is reported when the tables are read. Tables of
    // several devices each may share one.
    if section.naming != Naming::Shared && (same.len() == 1 || with_number.is_none()) {
        return Ok((same[0], key));
    }
    match (with_number, same.as_slice()) {
        (Some((number, key)), same) => Ok((same[number], key)),
        (None, [only]) => Ok((*only, key)),
        (None, several) => {
            let what = |index: &usize| match &list[*index].value {
                NodeValue::Table(table) => section.entry_of(table),
                _ => None,
            };
            let describe =
                |index| what(index).map_or_else(String::new, |it| format!(" ({})", it.name));
            Err(BadAddress::Shared {
                head: format!("{}.{name}", section.name),
                key: match key.trim_end_matches('.') {
                    "" => String::new(),
                    key => format!(".{key}"),
                },
                kinds: several.iter().map(describe).collect(),
            })
        }
    }
}

/// Sets a key of a table, which has to be there already or be one of its fields; `None` if it is
/// neither.
fn set_key(
    table: &mut Table,
    groups: Option<&[&[Field]]>,
    key: &str,
    span: Span,
    node: Node,
) -> Option<Previous> {
    let mut fields = groups.unwrap_or_default().iter().flat_map(|group| group.iter());
    let field = fields.find(|field| field.name == key);
    let is_known = groups.is_none() || field.is_some();
    if table.entry(key).is_some() || (!key.contains('.') && is_known) {
        let replaced = match (table.get(key), field.map(|field| field.presence)) {
            (Some(node), _) => Some(node.value.to_toml()),
            (None, Some(Presence::Default(text))) => {
                Some(parse_override(text, 0, SourceId::FILE).value.to_toml())
            }
            (None, _) => None,
        };
        table.set(key, span, node);
        return Some(Previous(replaced));
    }
    let (first, rest) = key.split_once('.')?;
    set_within(table.get_mut(first)?, rest, span, node)
}

fn set_within(place: &mut Node, key: &str, span: Span, node: Node) -> Option<Previous> {
    match &mut place.value {
        // Which keys a nested table takes is known when it is read; it reports unknown ones.
        NodeValue::Table(table) => set_key(table, None, key, span, node),
        NodeValue::Array(list) => {
            let (number, rest) = key.split_once('.').unwrap_or((key, ""));
            let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let item = list.get_mut(index?)?;
            if rest.is_empty() {
                let replaced = std::mem::replace(item, node);
                return Some(Previous(Some(replaced.value.to_toml())));
            }
            set_within(item, rest, span, node)
        }
        _ => None,
    }
}

/// The right address nearest to one that addresses nothing.
fn nearest_address(root: &Table, address: &str) -> Option<String> {
    let mut addresses = Vec::new();
    for section in once_first(SECTIONS) {
        if !section.repeats {
            let key = |field: &Field| format!("{}.{}", section.name, field.name);
            addresses.extend(section.fields.iter().map(key));
            continue;
        }
        let list = place_of(root, section).map(|node| &node.value);
        let Some(NodeValue::Array(list)) = list else { continue };
        let mut met: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, node) in list.iter().enumerate() {
            let NodeValue::Table(table) = &node.value else { continue };
            let own = section.entry_of(table).map_or(&[][..], |entry| entry.fields);
            let head = match table.text("name") {
                Some(name) => {
                    let before = met.entry(name).or_default();
                    *before += 1;
                    let is_shared = section.naming == Naming::Shared && is_shared(list, name);
                    if is_shared { format!("{name}.{before}") } else { name.to_owned() }
                }
                None => (index + 1).to_string(),
            };
            let fields = section.fields.iter().chain(own).map(|field| field.name);
            let written = table.entries.iter().map(|entry: &TableEntry| entry.key.as_str());
            addresses
                .extend(fields.chain(written).map(|key| format!("{}.{head}.{key}", section.name)));
        }
    }
    nearest(address, addresses.iter().map(String::as_str)).map(str::to_owned)
}

/// Whether several of these tables have the name.
fn is_shared(list: &[Node], name: &str) -> bool {
    let is_named = |node: &&Node| match &node.value {
        NodeValue::Table(table) => table.text("name") == Some(name),
        _ => false,
    };
    list.iter().filter(is_named).nth(1).is_some()
}
