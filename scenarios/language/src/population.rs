//! Populations: in place of a `[[device]]` that stands for many that differ, a table for each of
//! them, and in place of each distribution the value that was drawn from it.
//!
//! | written | becomes |
//! |---|---|
//! | `at = ["load:*", "!load:12"]` | a device for each place that fits |
//! | `[[device.member]]` with `name` | keys of the members that fit, behind those of the group |
//! | `[[device.member]]` with `drawn = 3` | the same of members that are drawn by the seed |
//! | `current_gain_error = "normal(0 %, 0.3 %)"` | a value of each member, drawn by the seed |
//! | what a model draws by itself, as the errors of a class | its keys with their values |
//!
//! What comes out is a scenario as any other, and what `scenario.toml` of a run has: every value
//! that was drawn stands there. A stream belongs to one key of one table, so that another member
//! or another key changes no draw.

use lastmeter_devices::DEVICES;
use lastmeter_params::{
    Code, Diagnostics, Field, Kind, Node, NodeValue, Pattern, Span, Table, nearest,
};
use lastmeter_sim::Streams;
use lastmeter_text::plural;
use rand::seq::index;

use super::distribution::Distribution;
use super::draft::Section;
use super::matrix::seed_of;
use super::names::{COUNT_MAX, HOME_PREFIX, LOAD_PREFIX, SOURCE_PREFIX, numbered};
use super::read::{list_at, table_at_mut};
use super::section::SECTIONS;
use super::section::device::{DEVICE, MEMBER};
use super::section::home::{HOME, names_in};
use super::section::matrix::MATRIX;
use super::section::must_fail::MUST_FAIL;
use super::section::source::SOURCE;

/// Members of all groups together at most; more devices than these are made alike by `count`.
const MEMBERS_MAX: usize = 10_000;

/// Keys of a member's table that are not values of the member.
const OF_MEMBER: [&str; 2] = ["name", "drawn"];
/// Keys of a group that no member changes.
const OF_GROUP: [&str; 3] = ["count", "at", MEMBER];

/// Puts members in place of groups, and values in place of distributions. `places` gives sources
/// and loads of the network, with their prefixes.
pub(crate) fn expand(
    root: &mut Table,
    places: impl FnOnce(&Table) -> Vec<String>,
    out: &mut Diagnostics,
) {
    join_patterns(root);
    let streams = Streams::new(seed_of(root));
    if devices(root).any(is_group) {
        let mut all = places(root);
        let own = list_at(root, SOURCE.name).iter().filter_map(|node| name_of(node));
        all.splice(0..0, own.map(|name| format!("{SOURCE_PREFIX}{name}")).collect::<Vec<_>>());
        let homes = list_at(root, HOME.name).iter().filter_map(table_of);
        all.extend(homes.flat_map(names_in).map(|name| format!("{HOME_PREFIX}{name}")));
        let expansion = Expansion { places: all, streams };
        expansion.devices(root, out);
    }
    draw_of_models(root, streams);
    draw_all(root, streams, out);
}

fn devices(root: &Table) -> impl Iterator<Item = &Table> {
    list_at(root, DEVICE.name).iter().filter_map(table_of)
}

fn table_of(node: &Node) -> Option<&Table> {
    match &node.value {
        NodeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn name_of(node: &Node) -> Option<&str> {
    table_of(node)?.text("name")
}

/// Whether the devices of a table differ in more than their names and places.
fn is_group(table: &Table) -> bool {
    let at = table.text("at").map(Pattern::new);
    table.get(MEMBER).is_some()
        || at.as_ref().is_some_and(|at| at.parts().len() > 1)
        || stands_for_several(table) && (draws_itself(table) || has_distribution(table))
}

/// Whether a table stands for several devices, as far as it can be read.
pub(crate) fn stands_for_several(table: &Table) -> bool {
    let at = table.get("at").map(|node| &node.value);
    table.get("count").is_some()
        || match at {
            Some(NodeValue::String(text)) => !Pattern::new(text).is_name(),
            Some(NodeValue::Array(_)) => true,
            _ => false,
        }
}

fn draws_itself(table: &Table) -> bool {
    model_of(table).is_some_and(|kind| kind.draws.is_some())
}

fn model_of(table: &Table) -> Option<&'static lastmeter_devices::DeviceKind> {
    let model = table.text("model")?;
    DEVICES.iter().find(|kind| kind.entry.name == model)
}

fn has_distribution(table: &Table) -> bool {
    table.entries.iter().any(|entry| is_drawn(&entry.node.value))
}

fn is_drawn(value: &NodeValue) -> bool {
    match value {
        NodeValue::String(text) => Distribution::is_meant(text),
        NodeValue::Array(list) => list.iter().any(|node| is_drawn(&node.value)),
        NodeValue::Table(table) => has_distribution(table),
        _ => false,
    }
}

/// Lists of names and patterns as the one text that they stand for.
fn join_patterns(root: &mut Table) {
    each_table(root, &mut |section, _, table| {
        let entry = section.entry_of(table);
        let own = entry.map_or(&[][..], |entry| entry.fields);
        for field in section.fields.iter().chain(own).filter(|it| it.kind == Kind::Pattern) {
            let Some(node) = table.get_mut(field.name) else { continue };
            let NodeValue::Array(list) = &node.value else { continue };
            let text = |node: &Node| match &node.value {
                NodeValue::String(text) => Some(text.clone()),
                _ => None,
            };
            let texts: Option<Vec<String>> = list.iter().map(text).collect();
            // An empty list stays one, and is refused when the table is read.
            if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
                node.value = NodeValue::String(texts.join(", "));
            }
        }
    });
}

/// Every table of the sections that a run is made of, with what it is addressed by.
fn each_table(root: &mut Table, see: &mut dyn FnMut(&'static Section, &str, &mut Table)) {
    for section in SECTIONS.iter().filter(|it| ![MUST_FAIL.name, MATRIX.name].contains(&it.name)) {
        let node = match section.within() {
            None => root.get_mut(section.name),
            Some((outer, key)) => table_at_mut(root, outer).and_then(|it| it.get_mut(key)),
        };
        match node.map(|node| &mut node.value) {
            Some(NodeValue::Table(table)) if !section.repeats => see(section, section.name, table),
            Some(NodeValue::Array(list)) if section.repeats => {
                for (index, node) in list.iter_mut().enumerate() {
                    let NodeValue::Table(table) = &mut node.value else { continue };
                    let number = || (index + 1).to_string();
                    let name = table.text("name").map_or_else(number, str::to_owned);
                    see(section, &format!("{}.{name}", section.name), table);
                }
            }
            _ => {}
        }
    }
}

/// What members are made with.
struct Expansion {
    /// Sources, then loads of the network, with their prefixes.
    places: Vec<String>,
    streams: Streams,
}

/// A member on its way.
struct Member {
    name: String,
    table: Table,
    is_drawn: bool,
}

impl Expansion {
    fn devices(&self, root: &mut Table, out: &mut Diagnostics) {
        let Some(NodeValue::Array(list)) = root.get_mut(DEVICE.name).map(|it| &mut it.value) else {
            return;
        };
        let mut room = MEMBERS_MAX;
        let mut expanded = Vec::with_capacity(list.len());
        for node in std::mem::take(list) {
            match table_of(&node).filter(|table| is_group(table)) {
                Some(group) => match self.members(group, &node, room, out) {
                    Some(members) => {
                        room -= members.len();
                        expanded.extend(members);
                    }
                    None => expanded.push(without_members(node)),
                },
                None => expanded.push(node),
            }
        }
        *list = expanded;
    }

    /// The members of a group; `None` if they cannot be found, which the reading of the table
    /// reports where it is not reported here.
    fn members(
        &self,
        group: &Table,
        node: &Node,
        room: usize,
        out: &mut Diagnostics,
    ) -> Option<Vec<Node>> {
        let named = self.names(group, out)?;
        if named.len() > room {
            let message = format!("there are more than {MEMBERS_MAX} devices that differ");
            let label = format!("makes {}", plural(named.len(), "device"));
            let span = group.get("count").or_else(|| group.get("at")).map_or(node.span, |n| n.span);
            out.report(Code::OUT_OF_RANGE, span, message, label);
            return None;
        }
        let member = |(name, at): (String, Option<String>)| {
            let mut table = group.clone();
            table.entries.retain(|entry| ![MEMBER, "count"].contains(&entry.key.as_str()));
            for (key, value) in [("name", Some(name.clone())), ("at", at)] {
                if let (Some(node), Some(value)) = (table.get_mut(key), value) {
                    node.value = NodeValue::String(value);
                }
            }
            Member { name, table, is_drawn: false }
        };
        let mut members: Vec<Member> = named.into_iter().map(member).collect();
        let group_name = group.text("name").unwrap_or_default();
        for (index, own) in list_at(group, MEMBER).iter().enumerate() {
            self.extend((group_name, index), own, &mut members, out);
        }
        if let Some(own) = group.get(MEMBER).filter(|it| !matches!(it.value, NodeValue::Array(_))) {
            let message = "members are tables of their own";
            let label = "expected `[[device.member]]`";
            out.report(Code::WRONG_KIND, own.span, message, label);
        }
        let table = |member: Member| Node { value: NodeValue::Table(member.table), ..node.clone() };
        Some(members.into_iter().map(table).collect())
    }

    /// The names that a group's members have, and their places where each has one of its own.
    fn names(&self, group: &Table, out: &mut Diagnostics) -> Option<Vec<(String, Option<String>)>> {
        let (name, at) = (group.text("name")?, group.text("at")?);
        let places = Pattern::new(at);
        if let Some(node) = group.get("count") {
            let NodeValue::Integer(count @ 1..=COUNT_MAX) = node.value else { return None };
            let count = usize::try_from(count).ok()?;
            // A pattern with a count makes many of one, which is refused when it is resolved.
            let one = |number| (numbered(name, number, count), None);
            return places.is_name().then(|| (1..=count).map(one).collect());
        }
        if places.is_name() {
            return Some(vec![(name.to_owned(), None)]);
        }
        let span = group.get("at").map(|node| node.span)?;
        let known = self.places.iter().map(String::as_str);
        let mut is_sound = true;
        for part in places.parts() {
            if !known.clone().any(|place| part.matches(place)) && places.parts().len() > 1 {
                is_sound = false;
                report_unfit("source or load", &part.text, known.clone(), span, out);
            }
        }
        let fitting = known.filter(|place| places.matches(place));
        let one = |place: &str| {
            let own = place.split_once(':').map_or(place, |(_, own)| own);
            (format!("{name}-{own}"), Some(place.to_owned()))
        };
        let found: Vec<_> = fitting.map(one).collect();
        if is_sound && found.is_empty() && places.parts().len() > 1 {
            let message = format!("nothing is left of `{at}`");
            out.report(Code::UNKNOWN_REFERENCE, span, message, "leaves all of them out");
        }
        (!found.is_empty()).then_some(found)
    }

    /// Puts the keys of one `[[device.member]]` into the members that it is about.
    fn extend(
        &self,
        (group, index): (&str, usize),
        node: &Node,
        members: &mut [Member],
        out: &mut Diagnostics,
    ) {
        let Some(own) = table_of(node) else { return };
        // Each mistake of such a table has a message of its own.
        let mut is_sound = true;
        for entry in own.entries.iter().filter(|it| OF_GROUP.contains(&it.key.as_str())) {
            is_sound = false;
            let message = format!("`{}` is a key of the whole group", entry.key);
            out.report(Code::DOES_NOT_FIT, entry.key_span, message, "not of a member");
        }
        let of = match own.get("name") {
            Some(name) => {
                let Some((pattern, span)) = pattern_at(name, out) else { return };
                let names = members.iter().map(|member| member.name.as_str());
                for part in pattern.parts() {
                    if !names.clone().any(|name| part.matches(name)) {
                        is_sound = false;
                        let what = format!("member of `{group}`");
                        report_unfit(&what, &part.text, names.clone(), span, out);
                    }
                }
                pattern
            }
            None => Pattern::new("*"),
        };
        let mut chosen: Vec<usize> =
            (0..members.len()).filter(|&at| of.matches(&members[at].name)).collect();
        match own.get("drawn") {
            Some(Node { value: NodeValue::Integer(count @ 1..), span }) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                chosen.retain(|&at| !members[at].is_drawn);
                if count > chosen.len() {
                    let message = format!(
                        "{count} of {} cannot be drawn: none is drawn twice",
                        plural(chosen.len(), "member")
                    );
                    let label = "more than there are";
                    return out.report(Code::OUT_OF_RANGE, *span, message, label);
                }
                let stream = format!("member/{group}/{}", index + 1);
                let mut random = self.streams.stream(&stream);
                let mut drawn = index::sample(&mut random, chosen.len(), count).into_vec();
                drawn.sort_unstable();
                chosen = drawn.into_iter().map(|place| chosen[place]).collect();
                for &at in &chosen {
                    members[at].is_drawn = true;
                }
            }
            Some(node) => {
                let label = "expected a whole number of 1 or more";
                return out.report(Code::WRONG_KIND, node.span, "`drawn` is a number", label);
            }
            None if own.get("name").is_none() => {
                let message = "which members this is about is not stated";
                let help = "add `name = \"home-12\"`, or `drawn = 3` for three that are drawn";
                let label = "neither `name` nor `drawn`";
                let help = Some(help.to_owned());
                return out.report_with_help(Code::MISSING_KEY, node.span, message, label, help);
            }
            None => {}
        }
        let keys = own.entries.iter().filter(|entry| !OF_MEMBER.contains(&entry.key.as_str()));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() && is_sound {
            let message = "a member like all others needs no table";
            out.report(Code::MISSING_KEY, node.span, message, "no key of a device here");
        }
        for &at in chosen.iter().filter(|_| is_sound) {
            for entry in &keys {
                members[at].table.set(&entry.key, entry.key_span, entry.node.clone());
            }
        }
    }
}

fn without_members(mut node: Node) -> Node {
    if let NodeValue::Table(table) = &mut node.value {
        table.entries.retain(|entry| entry.key != MEMBER);
    }
    node
}

/// The pattern at a key: a text, or a list of texts.
fn pattern_at(node: &Node, out: &mut Diagnostics) -> Option<(Pattern, Span)> {
    let text = |node: &Node| match &node.value {
        NodeValue::String(text) => Some(text.clone()),
        _ => None,
    };
    let found = match &node.value {
        NodeValue::String(text) => Some(text.clone()),
        NodeValue::Array(list) if !list.is_empty() => {
            list.iter().map(text).collect::<Option<Vec<_>>>().map(|texts| texts.join(", "))
        }
        _ => None,
    };
    if found.is_none() {
        let label = "expected a name, a pattern with `*`, or a list of them";
        out.report(Code::WRONG_KIND, node.span, "`name` is not of members", label);
    }
    Some((Pattern::new(&found?), node.span))
}

fn report_unfit<'a>(
    what: &str,
    text: &str,
    known: impl Iterator<Item = &'a str>,
    span: Span,
    out: &mut Diagnostics,
) {
    let message = format!("no {what} has a name that fits `{text}`");
    let known: Vec<&str> = known.collect();
    let help = match (nearest(text, known.iter().copied()), known.as_slice()) {
        (Some(near), _) => Some(format!("did you mean `{near}`?")),
        (None, [first, .., last]) => Some(format!("they are `{first}` to `{last}`")),
        (None, [only]) => Some(format!("the only one is `{only}`")),
        (None, []) if text.starts_with(LOAD_PREFIX) => {
            Some("add a `[grid]` with the `file` of a network".to_owned())
        }
        (None, []) => None,
    };
    out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, "fits nothing", help);
}

/// What models draw of their devices by themselves, where it is not written.
fn draw_of_models(root: &mut Table, streams: Streams) {
    each_table(root, &mut |section, address, table| {
        let draws = model_of(table).filter(|_| section.name == DEVICE.name);
        let Some(draws) = draws.and_then(|kind| kind.draws) else { return };
        let mut random = streams.stream(&format!("drawn/{address}"));
        let span = table.entry("model").map_or(Span::default(), |entry| entry.key_span);
        for (key, value) in draws(table, &mut random) {
            if table.get(key).is_none() {
                table.set(key, span, Node { value, span });
            }
        }
    });
}

/// A value in place of each distribution at a key that takes numbers.
fn draw_all(root: &mut Table, streams: Streams, out: &mut Diagnostics) {
    each_table(root, &mut |section, address, table| {
        let entry = section.entry_of(table);
        let own = entry.map_or(&[][..], |entry| entry.fields);
        for field in section.fields.iter().chain(own) {
            if let Some(node) = table.get_mut(field.name) {
                draw(&field.kind, node, &format!("{address}.{}", field.name), streams, out);
            }
        }
    });
}

fn draw(kind: &Kind, node: &mut Node, address: &str, streams: Streams, out: &mut Diagnostics) {
    match (kind, &mut node.value) {
        (Kind::Quantity { .. } | Kind::QuantityOfAny(_) | Kind::Integer { .. }, value) => {
            let NodeValue::String(text) = &value else { return };
            if !Distribution::is_meant(text) {
                return;
            }
            let mut random = streams.stream(&format!("drawn/{address}"));
            match Distribution::read(text) {
                Ok(of) if matches!(kind, Kind::Integer { .. }) => {
                    *value = NodeValue::Integer(of.draw(&mut random).round() as i64);
                }
                Ok(of) => *value = NodeValue::String(of.drawn(&mut random)),
                Err(why) => {
                    let label = "expected a distribution, or a value";
                    out.report(Code::BAD_NUMBER, node.span, why, label);
                    node.value = NodeValue::Invalid;
                }
            }
        }
        (Kind::List(of), NodeValue::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                draw(of, item, &format!("{address}.{}", index + 1), streams, out);
            }
        }
        (Kind::Table(fields), NodeValue::Table(table)) => {
            let known: &[Field] = fields;
            for field in known {
                if let Some(item) = table.get_mut(field.name) {
                    draw(&field.kind, item, &format!("{address}.{}", field.name), streams, out);
                }
            }
        }
        _ => {}
    }
}
