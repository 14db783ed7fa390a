//! Names within a section: which stand there, what refers to them, and what to report of one that
//! refers to nothing.
//!
//! Terms: a device table with `count` *makes* several devices, each with a *number* in its name:
//! `meter` with a count of 50 makes `meter-01` to `meter-50`. It is those that are referred to.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, NodeValue, Pattern, Span, is_name, nearest};

use super::draft::Row;
use super::section::tenant::{tenant_of, tenant_prefix};

/// What the name of a load's source begins with, as in `at = "load:NAME"`.
pub(crate) const LOAD_PREFIX: &str = "load:";

/// What the name of a switch's place begins with, as in `at = "switch:NAME"`.
pub(crate) const SWITCH_PREFIX: &str = "switch:";

/// What the name of a source begins with, as in `at = "source:NAME"`.
pub(crate) const SOURCE_PREFIX: &str = "source:";

/// What the name of a place in a home begins with, as in `at = "home:NAME"`.
pub(crate) const HOME_PREFIX: &str = "home:";

/// The names of the places that devices are connected to. Loads follow sources, homes loads, and
/// switches homes.
#[derive(Clone, Copy)]
pub(crate) struct PlaceNames<'a> {
    /// The sources.
    pub(crate) sources: &'a Names,
    /// The loads of the network.
    pub(crate) loads: &'a Names,
    /// The feed-in of each home, `NAME`, followed by its sockets, `NAME/SOCKET`.
    pub(crate) homes: &'a Names,
    /// The switches of the network.
    pub(crate) switches: &'a Names,
}

impl<'a> PlaceNames<'a> {
    /// The names of the places that `at` is about, and the pattern of one.
    fn of_prefix<'t>(&self, at: &'t str) -> Option<(&'a Names, &'t str)> {
        let of_network = [(LOAD_PREFIX, self.loads), (SWITCH_PREFIX, self.switches)];
        [(SOURCE_PREFIX, self.sources), (HOME_PREFIX, self.homes)]
            .into_iter()
            .chain(of_network)
            .find_map(|(prefix, names)| Some((names, at.strip_prefix(prefix)?)))
    }
}

/// Most devices that one table makes: a machine's worth of connections, ports included.
pub(crate) const COUNT_MAX: i64 = 20_000;

/// Of more names than these a list helps nobody.
const NAMES_LISTED_MAX: usize = 12;

/// Most devices a scenario may have; with more, the names alone would fill a machine.
const DEVICES_MAX: usize = 100_000;

/// The names that tables of a section may be referred to by.
#[derive(Clone, Default)]
pub(crate) struct Names {
    /// What one is called in messages.
    what: &'static str,
    /// By index; `None` where a name could not be read.
    by_index: Vec<Option<String>>,
    index_of: BTreeMap<String, usize>,
    /// Tables that make several: the table's name, and the indices of what it makes.
    several: Vec<(String, std::ops::Range<usize>)>,
    /// Whether all could be read; else nothing is reported as missing.
    pub(crate) is_complete: bool,
}

/// What a device table makes: one device of its name, or as many as its `count`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RowNames {
    names: Vec<Option<String>>,
    is_several: bool,
}

impl Names {
    /// The names of rows, each of which stands for one; `all_read` unless there may be rows that
    /// could not be read. A name that stands twice is reported.
    pub(crate) fn of(
        what: &'static str,
        rows: &[Row<'_>],
        all_read: bool,
        out: &mut Diagnostics,
    ) -> Self {
        let one = |row: &Row<'_>| RowNames {
            names: vec![row.name().map(str::to_owned)],
            is_several: false,
        };
        Self::collect(what, rows, one, all_read, out).0
    }

    /// Names that stand in no table of the scenario; `is_complete` unless there may be more.
    pub(crate) fn given(
        what: &'static str,
        names: impl Iterator<Item = String>,
        is_complete: bool,
    ) -> Self {
        let mut all = Self { what, is_complete, ..Self::default() };
        names.for_each(|name| all.add(&name));
        all
    }

    /// The names of the devices that device tables make, and for each device its table. What cannot
    /// be made is reported, as is a name that stands twice.
    pub(crate) fn of_devices(
        rows: &[Row<'_>],
        places: PlaceNames<'_>,
        all_read: bool,
        out: &mut Diagnostics,
    ) -> (Self, Vec<usize>) {
        let mut refused = Diagnostics::new();
        let mut room = DEVICES_MAX;
        let made = |row: &Row<'_>| {
            let found = pattern_of_places(row, places)
                .map(|(places, pattern)| (places, places.matching(&pattern)));
            let made = match found {
                Some((places, found)) if !found.is_empty() => {
                    make_at(row, places, &found, &mut refused)
                }
                // Of a network that could not be read nobody knows for how many loads it stands.
                Some((places, _)) if !places.is_complete => {
                    RowNames { names: vec![None], is_several: false }
                }
                _ => make(row, room, &mut refused),
            };
            room = room.saturating_sub(made.names.len());
            of_tenant(row, made)
        };
        let names = Self::collect("device", rows, made, all_read, out);
        refused.into_sorted().into_iter().for_each(|diagnostic| out.push(diagnostic));
        names
    }

    fn collect(
        what: &'static str,
        rows: &[Row<'_>],
        mut made: impl FnMut(&Row<'_>) -> RowNames,
        all_read: bool,
        out: &mut Diagnostics,
    ) -> (Self, Vec<usize>) {
        let mut all = Self { what, is_complete: all_read, ..Self::default() };
        let mut table_of = Vec::new();
        for (table, row) in rows.iter().enumerate() {
            let RowNames { names, is_several } = made(row);
            let mut taken = None;
            let first = all.by_index.len();
            for name in names {
                if let Some(name) = &name {
                    let clash = all.index_of.contains_key(name);
                    taken = taken.or_else(|| clash.then(|| name.clone()));
                    all.index_of.entry(name.clone()).or_insert(all.by_index.len());
                }
                all.is_complete &= name.is_some();
                all.by_index.push(name);
                table_of.push(table);
            }
            // One clash of a table is reported; the others have the same cause.
            if let (Some(taken), Some((_, span))) = (taken, row.text("name")) {
                let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                let message = format!("there is already {article} {what} named `{taken}`");
                let label = if is_several { "`count` makes it again" } else { "used twice" };
                out.report(Code::NAME_TAKEN, span, message, label);
            }
            if let (true, Some(name)) = (is_several, full_name(row)) {
                all.several.push((name, first..all.by_index.len()));
            }
        }
        (all, table_of)
    }

    /// Adds a name that stands in no table.
    pub(crate) fn add(&mut self, name: &str) {
        self.index_of.entry(name.to_owned()).or_insert(self.by_index.len());
        self.by_index.push(Some(name.to_owned()));
    }

    /// All that could be read, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.by_index.iter().flatten().map(String::as_str)
    }

    /// How many there are, read or not.
    pub(crate) fn len(&self) -> usize {
        self.by_index.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        self.by_index.get(index)?.as_deref()
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.index_of.get(name).copied()
    }

    /// The index of what a name refers to; reports it if there is no such thing.
    pub(crate) fn find(&self, name: &str, span: Span, out: &mut Diagnostics) -> Option<usize> {
        let found = self.position(name);
        if found.is_none() {
            self.report_unknown(name, false, span, out);
        }
        found
    }

    /// The indices of all that a pattern fits; reports it if there is none.
    pub(crate) fn fitting(&self, text: &str, span: Span, out: &mut Diagnostics) -> Vec<usize> {
        let pattern = Pattern::new(text);
        if pattern.is_name() {
            let found = self.position(text);
            if found.is_none() {
                self.report_unknown(text, true, span, out);
            }
            return found.into_iter().collect();
        }
        let found = self.matching(&pattern);
        if found.is_empty() && self.is_complete {
            let message = format!("no {} has a name that fits `{text}`", self.what);
            let help = self.list();
            let code = Code::UNKNOWN_REFERENCE;
            out.report_with_help(code, span, message, "fits nothing", help);
        }
        found
    }

    /// The indices of all that a pattern fits, in order.
    pub(crate) fn matching(&self, pattern: &Pattern) -> Vec<usize> {
        let fitting = self.index_of.iter().filter(|(name, _)| pattern.matches(name));
        let mut found: Vec<usize> = fitting.map(|(_, index)| *index).collect();
        found.sort_unstable();
        found
    }

    /// Reports that there is nothing of this name, unless it may only not have been read.
    fn report_unknown(&self, name: &str, pattern_is_fine: bool, span: Span, out: &mut Diagnostics) {
        if !self.is_complete {
            return;
        }
        let what = self.what;
        let message = format!("there is no {what} named `{name}`");
        let label = "not in this scenario";
        let several = self.several.iter().find(|(table, _)| table == name);
        let help = match (several, nearest(name, self.iter())) {
            (Some((table, made)), _) if pattern_is_fine => {
                format!("`{table}` makes {}; write `{table}-*` for all of them", self.range(made))
            }
            (Some((table, made)), _) => {
                format!("`{table}` makes {}; write which one is meant", self.range(made))
            }
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => {
                self.list().unwrap_or_else(|| format!("add a `[[{what}]]` of that name"))
            }
        };
        out.report_with_help(Code::UNKNOWN_REFERENCE, span, message, label, Some(help));
    }

    /// `meter-01` to `meter-50`, in quotes.
    fn range(&self, made: &std::ops::Range<usize>) -> String {
        let name = |index: usize| self.get(index).unwrap_or("?");
        match made.len() {
            1 => format!("`{}`", name(made.start)),
            _ => format!("`{}` to `{}`", name(made.start), name(made.end.saturating_sub(1))),
        }
    }

    /// What there is, for help; what one table makes stands together.
    fn list(&self) -> Option<String> {
        let mut listed = Vec::new();
        let mut index = 0;
        while index < self.by_index.len() {
            let several = self.several.iter().find(|(_, made)| made.start == index);
            let made = several.map_or(index..index + 1, |(_, made)| made.clone());
            index = made.end.max(index + 1);
            listed.push(self.range(&made));
        }
        let what = self.what;
        let more = listed.len().saturating_sub(NAMES_LISTED_MAX);
        match listed.as_slice() {
            [] => None,
            [only] if self.by_index.len() == 1 => Some(format!("the only {what} is {only}")),
            few if more == 0 => Some(format!("the {what}s are {}", few.join(", "))),
            many => {
                let first = many[..NAMES_LISTED_MAX].join(", ");
                Some(format!("the {what}s are {first}, and {more} more"))
            }
        }
    }
}

/// The name of a table, behind its tenant if it is of another than `default`.
pub(crate) fn full_name(row: &Row<'_>) -> Option<String> {
    Some(tenant_prefix(&tenant_of(row)) + row.name()?)
}

/// What a device table makes, by full names.
fn of_tenant(row: &Row<'_>, made: RowNames) -> RowNames {
    let prefix = tenant_prefix(&tenant_of(row));
    let names = made.names.into_iter().map(|name| Some(format!("{prefix}{}", name?)));
    RowNames { names: names.collect(), ..made }
}

/// The name of one of so many that a table with `count` makes.
pub(crate) fn numbered(name: &str, number: usize, count: usize) -> String {
    let width = count.to_string().len();
    format!("{name}-{number:0width$}")
}

/// The places of which a device table makes a device for each, and the pattern of their names, as
/// `at = "load:PATTERN"` states; `None` if it states something else.
fn pattern_of_places<'a>(row: &Row<'_>, places: PlaceNames<'a>) -> Option<(&'a Names, Pattern)> {
    let (at, _) = row.text("at")?;
    let (names, text) = places.of_prefix(at)?;
    Some((names, Pattern::new(text))).filter(|(_, pattern)| !pattern.is_name())
}

/// The names of the devices that one table makes at loads or sources: the table's name, a dash, the
/// place's.
fn make_at(row: &Row<'_>, places: &Names, found: &[usize], out: &mut Diagnostics) -> RowNames {
    let unknown = RowNames { names: vec![None; found.len()], is_several: false };
    if let Some(node) = row.table.get("count") {
        let what = places.what;
        let message = format!("a pattern of {what}s makes one device for each of them");
        let label = "makes many of one";
        out.report(Code::DOES_NOT_FIT, node.span, message, label);
        return unknown;
    }
    let Some((name, span)) = row.text("name") else { return unknown };
    let place = |place: &usize| places.get(*place).unwrap_or_default().replace('/', "-");
    let named = |at: &usize| format!("{name}-{}", place(at));
    let names: Vec<String> = found.iter().map(named).collect();
    if let Some(bad) = names.iter().find(|name| !is_name(name)).filter(|_| is_name(name)) {
        let what = places.what;
        let message = format!("with its {what} this is not a name: `{bad}`");
        let label = "letters, digits, `-`, `_`, `.`; at most 64 characters";
        let help = format!("give those {what}s devices of their own, or rename them");
        out.report_with_help(Code::BAD_NAME, span, message, label, Some(help));
        return unknown;
    }
    RowNames { names: names.into_iter().map(Some).collect(), is_several: true }
}

/// The names of what one device table makes.
fn make(row: &Row<'_>, room: usize, out: &mut Diagnostics) -> RowNames {
    let unknown = RowNames { names: vec![None], is_several: false };
    let Some(node) = row.table.get("count") else {
        return RowNames { names: vec![row.name().map(str::to_owned)], is_several: false };
    };
    let (Some(name), NodeValue::Integer(count)) = (row.name(), &node.value) else { return unknown };
    // What is out of the field's range, or no name, has been reported when the table was read.
    let Some(count) =
        usize::try_from(*count).ok().filter(|count| (1..=COUNT_MAX as usize).contains(count))
    else {
        return unknown;
    };
    if count > room {
        let message = format!("the scenario has more than {DEVICES_MAX} devices");
        out.report(Code::OUT_OF_RANGE, node.span, message, "too many, with those before");
        return unknown;
    }
    let numbered = |number: usize| numbered(name, number, count);
    if is_name(name) && !is_name(&numbered(count)) {
        if let Some((_, span)) = row.text("name") {
            let message = "with its number this is not a name";
            let digits = count.to_string().len();
            let label = format!("with `-` and {digits} digits it is too long");
            out.report(Code::BAD_NAME, span, message, label);
        }
        return unknown;
    }
    RowNames { names: (1..=count).map(|number| Some(numbered(number))).collect(), is_several: true }
}

#[cfg(test)]
mod tests {
    use lastmeter_params::{SourceId, parse_document};

    use super::*;
    use crate::draft::Section;
    use crate::read;

    // Any section without kinds will do to read tables with a name and a count.
    static SECTION: Section = Section { name: "d", ..Section::REPEATED };
    static SECTIONS: &[&Section] = &[&SECTION];

    /// The names that device tables make, and what is wrong with them.
    fn made(text: &str) -> (Names, Vec<usize>, Vec<String>) {
        let mut out = Diagnostics::new();
        let root = parse_document(text, SourceId::FILE, &mut out);
        let draft = read::draft(&root, SECTIONS, &mut Diagnostics::new());
        let rows = draft.rows(&SECTION);
        let loads = Names::given("load", std::iter::empty(), true);
        let sources =
            Names::given("source", ["a-1", "a-2", "b"].map(str::to_owned).into_iter(), true);
        let places =
            PlaceNames { sources: &sources, loads: &loads, homes: &loads, switches: &loads };
        let (names, tables) = Names::of_devices(rows, places, true, &mut out);
        let messages = out.into_sorted().into_iter().map(|d| format!("{} {}", d.code, d.message));
        (names, tables, messages.collect())
    }

    #[test]
    fn numbers_are_as_wide_as_the_count() {
        for (count, first, last) in [
            (1, "m-1", "m-1"),
            (9, "m-1", "m-9"),
            (10, "m-01", "m-10"),
            (50, "m-01", "m-50"),
            (100, "m-001", "m-100"),
            (20_000, "m-00001", "m-20000"),
        ] {
            let (names, tables, messages) =
                made(&format!("[[d]]\nname = \"m\"\ncount = {count}\n"));
            assert_eq!((names.len(), tables.len(), messages.len()), (count, count, 0));
            let ends = [names.get(0), names.get(count - 1)];
            assert_eq!(ends, [Some(first), Some(last)]);
            assert_eq!(names.position(last), Some(count - 1));
            assert_eq!(names.position("m"), None);
        }
    }

    #[test]
    fn a_pattern_of_sources_makes_a_device_for_each() {
        let at = |text: &str| made(&format!("[[d]]\nname = \"m\"\n{text}"));
        let (names, ..) = at("at = \"source:a-*\"\n");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["m-a-1", "m-a-2"]);
        // What fits nothing is reported where the place is looked up.
        assert_eq!(at("at = \"source:c-*\"\n").0.iter().collect::<Vec<_>>(), ["m"]);
        let (.., messages) = at("at = \"source:a-*\"\ncount = 2\n");
        assert!(messages[0].ends_with("a pattern of sources makes one device for each of them"));
    }

    #[test]
    fn tables_make_devices_one_after_the_other() {
        let text = "[[d]]\nname = \"a\"\n[[d]]\nname = \"b\"\ncount = 2\n[[d]]\nname = \"c\"\n";
        let (names, tables, messages) = made(text);
        assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "b-1", "b-2", "c"]);
        assert_eq!((tables, messages.len()), (vec![0, 1, 1, 2], 0));
    }

    #[test]
    fn a_name_clash_is_reported_once_for_each_table() {
        let text = "[[d]]\nname = \"m\"\ncount = 50\n[[d]]\nname = \"m-07\"\n[[d]]\nname = \"m\"\n\
                    count = 60\n";
        let (_, _, messages) = made(text);
        assert_eq!(
            messages,
            [
                "S017 there is already a device named `m-07`",
                "S017 there is already a device named `m-01`",
            ]
        );
    }

    #[test]
    fn a_number_may_make_a_name_too_long() {
        for (characters, mistakes) in [(61, 0), (62, 1)] {
            let name = "n".repeat(characters);
            let (_, _, found) = made(&format!("[[d]]\nname = \"{name}\"\ncount = 10\n"));
            assert_eq!(found.len(), mistakes, "{found:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_devices_of_a_scenario() {
        let table = |name: &str| format!("[[d]]\nname = \"{name}\"\ncount = 20_000\n");
        let five: String = ["a", "b", "c", "d", "e"].map(table).concat();
        assert_eq!(made(&five).2, Vec::<String>::new());
        assert_eq!(
            made(&format!("{five}[[d]]\nname = \"f\"\ncount = 1\n")).2,
            ["S006 the scenario has more than 100000 devices"]
        );
    }
}
