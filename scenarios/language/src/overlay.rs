//! What one table changes of the others: tables in, tables out.
//!
//! An overlay sets values, takes tables or keys away and adds tables, in this order. Values and
//! what is taken away are addressed as by `--set`, among the tables as they are before.

use lastmeter_params::{
    Code, Diagnostics, Node, NodeValue, Span, Table, TableEntry, current_address,
};

use super::draft::Section;
use super::overrides::{BadAddress, Previous, find_row, put, report, section_of};
use super::read::{list_at, place_of, table_at};
use super::section::SECTIONS;

/// Changes of a scenario's tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Overlay {
    /// Values by their addresses.
    pub(super) set: Vec<TableEntry>,
    /// The addresses of tables and keys, each with its place.
    pub(super) remove: Vec<(String, Span)>,
    add: Table,
}

impl Overlay {
    /// As the keys `set`, `remove` and `add` of a table describe it.
    pub(super) fn read(table: &Table) -> Self {
        let text = |node: &Node| match &node.value {
            NodeValue::String(text) => Some((text.clone(), node.span)),
            _ => None,
        };
        Self {
            set: table_at(table, "set").cloned().unwrap_or_default().entries,
            remove: list_at(table, "remove").iter().filter_map(text).collect(),
            add: table_at(table, "add").cloned().unwrap_or_default(),
        }
    }

    /// The addresses, or sections, of all that it changes, each with its place.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&str, Span)> {
        let set = self.set.iter().chain(&self.add.entries).map(|it| (it.key.as_str(), it.key_span));
        set.chain(self.remove.iter().map(|(address, span)| (address.as_str(), *span)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty() && self.add.entries.is_empty()
    }

    /// The tables with these changes; those that cannot be made are reported.
    pub(super) fn applied(&self, mut root: Table, out: &mut Diagnostics) -> Table {
        for TableEntry { key, key_span, node } in &self.set {
            // Dots outside of quotes make tables.
            if !key.contains('.') && matches!(node.value, NodeValue::Table(_)) {
                let message = format!("`{key}` is not an address");
                let help =
                    Some(format!("write the address in quotes: `\"{key}.NAME.KEY\" = VALUE`"));
                out.report_with_help(Code::OVERRIDE_ADDRESS, *key_span, message, "a table", help);
                continue;
            }
            let value = node.value.to_toml();
            let replaced = put(&mut root, (key, *key_span), node.clone(), out);
            if replaced.and_then(|Previous(was)| was).is_some_and(|was| was == value) {
                let message = format!("`{key}` is {value} in the scenario already");
                out.report(Code::BAD_TWIN, *key_span, message, "changes nothing");
            }
        }
        let mut paths = Vec::new();
        for (address, span) in &self.remove {
            match path_of(&root, &current_address(address)) {
                // What moves up to where it stood is not meant.
                Ok(path) if paths.contains(&path) => {
                    let message = format!("`{address}` is taken away twice");
                    out.report(Code::BAD_TWIN, *span, message, "the second address of it");
                }
                Ok(path) => paths.push(path),
                Err(unfit) => report(&root, (address, *span), &unfit, out),
            }
        }
        // What stands behind goes first, so that the numbers of what stands before it stay right.
        paths.sort_by(|a, b| b.cmp(a));
        for path in &paths {
            remove(&mut root, path);
        }
        add(&mut root, &self.add, "", out);
        root
    }
}

/// The section of the file that an address begins with.
pub(super) fn section_at(address: &str) -> String {
    let address = current_address(address);
    address.split('.').next().unwrap_or_default().to_owned()
}

/// One step on the way to a table or key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

/// The way to the section, table or key at an address.
fn path_of(root: &Table, address: &str) -> Result<Vec<Step>, BadAddress> {
    let named = SECTIONS.iter().copied().find(|section| section.name == address);
    let (section, rest) = match named {
        Some(section) => (section, ""),
        None => section_of(address).ok_or(BadAddress::Nothing)?,
    };
    let place = place_of(root, section).ok_or(BadAddress::Nothing)?;
    let keys = section.name.split('.');
    let mut path: Vec<Step> = keys.map(|key| Step::Key(key.to_owned())).collect();
    match &place.value {
        NodeValue::Array(list) if !rest.is_empty() => {
            let with_end = format!("{rest}.");
            let (index, key) = find_row(list, section, &with_end)?;
            path.push(Step::Index(index));
            path_within(&list[index], key.trim_end_matches('.'), &mut path)
        }
        _ => path_within(place, rest, &mut path),
    }
    .ok_or(BadAddress::Nothing)?;
    Ok(path)
}

/// The way on from a value to that of a key in it.
fn path_within(place: &Node, key: &str, path: &mut Vec<Step>) -> Option<()> {
    if key.is_empty() {
        return Some(());
    }
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    match &place.value {
        // A key may have dots in it.
        NodeValue::Table(table) if table.entry(key).is_some() => {
            path.push(Step::Key(key.to_owned()));
            Some(())
        }
        NodeValue::Table(table) => {
            path.push(Step::Key(first.to_owned()));
            path_within(table.get(first)?, rest, path)
        }
        NodeValue::Array(list) => {
            let index = first.parse::<usize>().ok()?.checked_sub(1)?;
            path.push(Step::Index(index));
            path_within(list.get(index)?, rest, path)
        }
        _ => None,
    }
}

/// Takes away what a way leads to; a list goes with its last item.
fn remove(table: &mut Table, path: &[Step]) {
    let Some((Step::Key(key), rest)) = path.split_first() else { return };
    let Some(node) = table.get_mut(key) else { return };
    remove_within(&mut node.value, rest);
    if rest.is_empty() || node.value == NodeValue::Array(Vec::new()) {
        table.entries.retain(|entry| entry.key != *key);
    }
}

fn remove_within(place: &mut NodeValue, path: &[Step]) {
    match (place, path) {
        (NodeValue::Table(table), path) => remove(table, path),
        (NodeValue::Array(list), [Step::Index(index)]) if *index < list.len() => {
            list.remove(*index);
        }
        (NodeValue::Array(list), [Step::Index(index), rest @ ..]) => {
            list.get_mut(*index).into_iter().for_each(|node| remove_within(&mut node.value, rest));
        }
        _ => {}
    }
}

/// Adds tables: to those of a section that repeats behind them, and others where none stands.
fn add(table: &mut Table, more: &Table, within: &str, out: &mut Diagnostics) {
    for TableEntry { key, key_span, node } in &more.entries {
        let name = format!("{within}{key}");
        let repeats = |section: &&&Section| section.repeats && section.name == name;
        let node = match &node.value {
            NodeValue::Table(_) if SECTIONS.iter().find(repeats).is_some() => {
                Node { value: NodeValue::Array(vec![node.clone()]), span: node.span }
            }
            _ => node.clone(),
        };
        match (node.value, table.get_mut(key).map(|node| &mut node.value)) {
            (NodeValue::Array(rows), Some(NodeValue::Array(list))) => list.extend(rows),
            (NodeValue::Table(more), Some(NodeValue::Table(table))) => {
                add(table, &more, &format!("{name}."), out);
            }
            (value @ (NodeValue::Array(_) | NodeValue::Table(_)), None) => {
                table.set(key, *key_span, Node { value, span: node.span });
            }
            (NodeValue::Invalid, _) => {}
            _ => {
                let message = format!("`add` adds tables, and `{name}` is a value");
                let help = format!("write it in `set`, by the address `\"{name}\"`");
                let label = "expected a table or a list of tables";
                out.report_with_help(Code::WRONG_KIND, *key_span, message, label, Some(help));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use lastmeter_params::{SourceId, parse_document};
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Table {
        let mut out = Diagnostics::new();
        let table = parse_document(text, SourceId::FILE, &mut out);
        assert!(out.is_empty(), "{text}");
        table
    }

    const SCENARIO: &str = r#"
        [scenario]
        name = "a"
        duration = "1 h"
        [grid]
        file = "x.toml"
        [[grid.load]]
        name = "h1"
        scale = 1
        [[grid.load]]
        name = "h1"
        scale = 2
        [[device]]
        name = "m"
        report_every = "5 s"
        [[device]]
        name = "m.x"
        [[inject]]
        at = "1 s"
        [[inject]]
        at = "2 s"
        expect = [{ about = "x" }, { about = "y" }]
        [[inject]]
        at = "3 s"
    "#;

    /// The scenario changed by an overlay as it is written, and what is reported.
    fn changed(overlay: &str) -> (Table, Vec<String>) {
        let mut out = Diagnostics::new();
        let table = Overlay::read(&parsed(overlay)).applied(parsed(SCENARIO), &mut out);
        (table, out.into_sorted().into_iter().map(|found| found.message).collect())
    }

    /// Section, keys and values on one line, without places.
    fn written(table: &Table) -> String {
        NodeValue::Table(table.clone()).to_toml()
    }

    /// The scenario with pieces of its text replaced.
    fn edited(edits: &[(&str, &str)]) -> String {
        let mut text = SCENARIO.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        written(&parsed(&text))
    }

    #[test]
    fn values_are_set_and_tables_and_keys_removed_by_their_addresses() {
        let third = "[[inject]]\n        at = \"3 s\"";
        for (overlay, edits) in [
            (r#"set = { "scenario.duration" = "2 h" }"#, &[("\"1 h\"", "\"2 h\"")][..]),
            (r#"set = { "device.m.report_every" = "9 s" }"#, &[("\"5 s\"", "\"9 s\"")]),
            (r#"set = { "grid.load.h1.2.scale" = 7 }"#, &[("scale = 2", "scale = 7")]),
            (r#"remove = ["device.m.report_every"]"#, &[("report_every = \"5 s\"", "")]),
            (r#"remove = ["device.m.x"]"#, &[("[[device]]\n        name = \"m.x\"", "")]),
            (r#"remove = ["inject.2.expect.1"]"#, &[("{ about = \"x\" }, ", "")]),
            (
                r#"remove = ["inject.2.expect.2", "inject.2.expect.1"]"#,
                &[("expect = [{ about = \"x\" }, { about = \"y\" }]", "")],
            ),
            (
                r#"remove = ["inject.1", "inject.3"]"#,
                &[("[[inject]]\n        at = \"1 s\"", ""), (third, "")],
            ),
            // What is set first may be removed; numbers are those before anything is removed.
            (
                r#"remove = ["inject.1", "inject.2"]
                set = { "inject.3.at" = "4 s" }"#,
                &[
                    ("[[inject]]\n        at = \"1 s\"", ""),
                    ("[[inject]]\n        at = \"2 s\"", ""),
                    ("expect = [{ about = \"x\" }, { about = \"y\" }]", ""),
                    ("3 s", "4 s"),
                ],
            ),
            (
                r#"remove = ["grid.load.h1.1"]"#,
                &[("[[grid.load]]\n        name = \"h1\"\n        scale = 1", "")],
            ),
        ] {
            let (table, reported) = changed(overlay);
            assert_eq!(reported, Vec::<String>::new(), "{overlay}");
            assert_eq!(written(&table), edited(edits), "{overlay}");
        }
    }

    #[test]
    fn a_section_goes_whole_and_with_its_last_table() {
        for overlay in
            [r#"remove = ["inject"]"#, r#"remove = ["inject.1", "inject.2", "inject.3"]"#]
        {
            let (table, reported) = changed(overlay);
            assert_eq!((table.get("inject"), reported.len()), (None, 0), "{overlay}");
        }
    }

    #[test]
    fn tables_are_added_behind_those_of_their_section_or_as_the_first() {
        let third = "at = \"3 s\"";
        let more = "at = \"3 s\"\n[[inject]]\nat = \"4 s\"";
        for overlay in ["add = { inject = { at = \"4 s\" } }", "[[add.inject]]\nat = \"4 s\""] {
            assert_eq!(written(&changed(overlay).0), edited(&[(third, more)]), "{overlay}");
        }
        let first = "at = \"3 s\"\n[[link]]\nname = \"l\"\n[floor]\nuse = \"x\"";
        let overlay = "add = { link = { name = \"l\" }, floor = { use = \"x\" } }";
        assert_eq!(written(&changed(overlay).0), edited(&[(third, first)]));
        let (within, load) = ("scale = 2", "scale = 2\n[[grid.load]]\nname = \"h2\"");
        let overlay = "add = { grid = { load = { name = \"h2\" } } }";
        assert_eq!(written(&changed(overlay).0), edited(&[(within, load)]));
    }

    #[test]
    fn what_cannot_be_changed_is_reported() {
        for (overlay, message) in [
            (
                r#"set = { "device.n.at" = "x" }"#,
                "`device.n.at` addresses nothing in this scenario",
            ),
            (
                r#"set = { "scenario.duration" = "1 h" }"#,
                "`scenario.duration` is \"1 h\" in the scenario already",
            ),
            (
                r#"set = { "scenario.time" = "virtual" }"#,
                "`scenario.time` is \"virtual\" in the scenario already",
            ),
            (r#"remove = ["check.x"]"#, "`check.x` addresses nothing in this scenario"),
            (
                r#"remove = ["grid.load.h1"]"#,
                "`grid.load.h1` stands for 2 tables, and one is to be changed",
            ),
            (
                "add = { grid = { step = \"1 s\" } }",
                "`add` adds tables, and `grid.step` is a value",
            ),
        ] {
            assert_eq!(changed(overlay).1, [message], "{overlay}");
        }
    }

    /// A scenario of named devices, each with a value, and unnamed injections.
    fn scenario(devices: &[(u8, u8)], injections: &[u8]) -> Table {
        let mut text = String::new();
        for (name, value) in devices {
            let _ = write!(text, "[[device]]\nname = \"d{name}\"\nmodel = \"x{value}\"\n");
        }
        for at in injections {
            let _ = write!(text, "[[inject]]\nat = \"{at} s\"\n");
        }
        parsed(&text)
    }

    /// The overlay that makes of one such scenario another, as somebody would write it.
    fn difference(from: (&[(u8, u8)], &[u8]), to: (&[(u8, u8)], &[u8])) -> String {
        let ((before, at_before), (after, at_after)) = (from, to);
        let value = |of: &[(u8, u8)], name: u8| of.iter().find(|one| one.0 == name).map(|it| it.1);
        let (mut set, mut remove, mut add) = (Vec::new(), Vec::new(), Vec::new());
        for &(name, was) in before {
            match value(after, name) {
                None => remove.push(format!("\"device.d{name}\"")),
                Some(is) if is != was => set.push(format!("\"device.d{name}.model\" = \"x{is}\"")),
                Some(_) => {}
            }
        }
        for (name, is) in after.iter().filter(|one| value(before, one.0).is_none()) {
            add.push(format!("[[add.device]]\nname = \"d{name}\"\nmodel = \"x{is}\"\n"));
        }
        let shared = at_before.len().min(at_after.len());
        for number in 0..shared {
            let (was, is) = (at_before[number], at_after[number]);
            if was != is {
                set.push(format!("\"inject.{}.at\" = \"{is} s\"", number + 1));
            }
        }
        remove.extend((shared..at_before.len()).map(|it| format!("\"inject.{}\"", it + 1)));
        add.extend(
            at_after[shared..].iter().map(|at| format!("[[add.inject]]\nat = \"{at} s\"\n")),
        );
        let (set, remove, add) = (set.join(", "), remove.join(", "), add.concat());
        format!("set = {{ {set} }}\nremove = [{remove}]\n{add}")
    }

    proptest! {
        #[test]
        fn a_difference_makes_one_scenario_of_another(
            kept in prop::collection::btree_map(0_u8..9, (0_u8..9, 0_u8..9), 0..4),
            gone in prop::collection::btree_map(10_u8..19, 0_u8..9, 0..4),
            new in prop::collection::btree_map(20_u8..29, 0_u8..9, 0..4),
            at_before in prop::collection::vec(any::<u8>(), 0..5),
            at_after in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let mut before: Vec<(u8, u8)> = kept.iter().map(|(name, it)| (*name, it.0)).collect();
            let mut after: Vec<(u8, u8)> = kept.iter().map(|(name, it)| (*name, it.1)).collect();
            before.extend(gone);
            after.extend(new);
            let overlay = difference((&before, &at_before), (&after, &at_after));
            let (from, to) = (scenario(&before, &at_before), scenario(&after, &at_after));
            let mut out = Diagnostics::new();
            let made = Overlay::read(&parsed(&overlay)).applied(from, &mut out);
            prop_assert!(out.is_empty(), "{overlay}");
            let section = |of: &Table, key| of.get(key).map(|node| node.value.to_toml());
            for key in ["device", "inject"] {
                prop_assert_eq!(section(&made, key), section(&to, key), "{}", overlay);
            }
        }
    }
}
