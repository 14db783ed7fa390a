//! Tables of limits on latency: what others ask for, as data with its edition and standing.
//!
//! Terms: a *requirement* is a limit, perhaps with the share of messages that has to keep it; a
//! *class* is one of IEC 61850-5, a *profile* any other. *Provenance* states how far a number is to
//! be trusted. The tables of `requirements/*.toml` are compiled in; a scenario may bring its own
//! file of the same form. The standard gives limits and no percentiles: nothing here is compliance.

use std::sync::OnceLock;

use lastmeter_params::{
    Diagnostic, Diagnostics, Dimension, Field, Kind, NodeValue, SourceId, Values, nearest,
    parse_document, read_table,
};

use super::quantile::Delay;

lastmeter_units::words! {
    /// How far a number is to be trusted.
    pub enum Provenance {
        /// Compared with the original text.
        Original = "original",
        /// Seen in a text that cites the original.
        Secondary = "secondary",
        /// From general knowledge: to be checked against the original before it is printed.
        Memory = "memory",
    }
}

impl Provenance {
    /// For a table's last column.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Original => "confirmed in the original",
            Self::Secondary => "seen in a text that cites it",
            Self::Memory => "unverified",
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// Its name in a scenario.
    pub name: String,
    /// The longest time, in ns; `None`: delivery alone is asked for.
    pub limit_ns: Option<Delay>,
    /// The share of messages that has to keep it, where the source gives one.
    pub coverage: Option<f64>,
    /// What it is for.
    pub use_for: String,
    /// How far it is to be trusted.
    pub standing: Provenance,
}

/// A table of requirements from one source.
#[derive(Clone, Debug, PartialEq)]
pub struct RequirementTable {
    /// The file's name without its ending.
    pub id: String,
    /// For a heading.
    pub title: String,
    /// Which edition of the source.
    pub edition: String,
    /// The source, and how it was read.
    pub source: String,
    /// The rows, in the order of the file.
    pub rows: Vec<Requirement>,
}

static TABLE_FIELDS: &[Field] = &[
    Field::required("format", Kind::Integer { min: 1, max: 1 }, "version of the form: 1"),
    Field::required("title", Kind::Text, "for a heading"),
    Field::required("edition", Kind::Text, "which edition of the source"),
    Field::required("source", Kind::Text, "where the numbers are from, and how they were read"),
    Field::default("note", Kind::Text, "\"\"", "what holds for all rows"),
];

static ROW_FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "its name in a scenario"),
    Field::optional(
        "limit",
        Kind::Quantity { dimension: Dimension::Time, min: 1e-6, max: 1e9 },
        "longest time; left out: delivery alone is asked for",
    ),
    Field::optional(
        "coverage",
        Kind::Quantity { dimension: Dimension::Ratio, min: 0.5, max: 0.999_999 },
        "share of messages that has to keep it",
    ),
    Field::required("use", Kind::Text, "what it is for"),
    Field::default("direction", Kind::Text, "\"\"", "from where to where"),
    Field::default("payload", Kind::Text, "\"\"", "how much data"),
    Field::default("note", Kind::Text, "\"\"", "what else is to be known"),
    Field::required(
        "standing",
        Kind::Choice(Provenance::WORDS),
        "how far the number is to be trusted",
    ),
];

impl RequirementTable {
    /// Reads a table; `id` is what to call it. The errors name what was found and expected.
    pub fn read(id: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut found = Diagnostics::new();
        let table = Self::read_into(id, text, &mut found);
        let describe = |one: Diagnostic| format!("{}: {}", one.code, one.message);
        match table {
            Some(table) if found.is_empty() => Ok(table),
            _ => Err(found.into_sorted().into_iter().map(describe).collect()),
        }
    }

    fn read_into(id: &str, text: &str, out: &mut Diagnostics) -> Option<Self> {
        let mut document = parse_document(text, SourceId::FILE, out);
        let nodes = match document.get("requirement").map(|node| node.value.clone()) {
            Some(NodeValue::Array(nodes)) => nodes,
            _ => Vec::new(),
        };
        document.entries.retain(|entry| entry.key != "requirement");
        let head = read_table(&document, lastmeter_params::Span::default(), TABLE_FIELDS, out)?;
        let mut rows: Vec<Requirement> = Vec::new();
        for node in &nodes {
            let NodeValue::Table(table) = &node.value else { continue };
            rows.push(row(&read_table(table, node.span, ROW_FIELDS, out)?));
        }
        let text = |key| head.text(key).to_owned();
        Some(Self {
            id: id.to_owned(),
            title: text("title"),
            edition: text("edition"),
            source: text("source"),
            rows,
        })
    }

    /// The row of a name.
    pub fn get(&self, name: &str) -> Option<&Requirement> {
        self.rows.iter().find(|row| row.name == name)
    }
}

fn row(values: &Values) -> Requirement {
    let text = |key| values.text(key).to_owned();
    Requirement {
        name: text("name"),
        limit_ns: values.duration_opt("limit").map(|limit| limit.0),
        coverage: values.si_opt("coverage"),
        use_for: text("use"),
        standing: Provenance::from_word(values.text("standing")).unwrap_or(Provenance::Memory),
    }
}

/// The files compiled in.
const FILES: [(&str, &str); 6] = [
    ("iec-61850-5", include_str!("../../requirements/iec-61850-5.toml")),
    ("iec-61850-5-ed2", include_str!("../../requirements/iec-61850-5-ed2.toml")),
    ("iec-61850-5-ed1", include_str!("../../requirements/iec-61850-5-ed1.toml")),
    ("smart-metering", include_str!("../../requirements/smart-metering.toml")),
    ("ieee-1646", include_str!("../../requirements/ieee-1646.toml")),
    ("smart-grid-book", include_str!("../../requirements/smart-grid-book.toml")),
];

/// How many of them hold classes of IEC 61850-5.
const CLASS_FILES: usize = 3;

/// Every table there is.
///
/// # Panics
/// Never: a test reads all of them.
pub fn requirement_tables() -> &'static [RequirementTable] {
    static TABLES: OnceLock<Vec<RequirementTable>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let read = |(id, text): &(&str, &str)| {
            RequirementTable::read(id, text).unwrap_or_else(|errors| panic!("{id}: {errors:?}"))
        };
        FILES.iter().map(read).collect()
    })
}

/// The transfer-time classes TT0 to TT6, the loosest first.
pub fn transfer_time_classes() -> &'static [Requirement] {
    &requirement_tables()[0].rows
}

/// A class of IEC 61850-5 and the table it stands in. The error states what to write.
pub fn find_class(name: &str) -> Result<(&'static RequirementTable, &'static Requirement), String> {
    let tables = &requirement_tables()[..CLASS_FILES];
    if let Some(found) = find(tables, name) {
        return Ok(found);
    }
    let editions: Vec<String> = tables
        .iter()
        .flat_map(|table| table.rows.iter())
        .filter(|row| row.name.strip_prefix("ed1-").or(row.name.strip_prefix("ed2-")) == Some(name))
        .map(|row| format!("`{}`", row.name))
        .collect();
    if editions.is_empty() {
        return Err(unknown(tables.iter(), name));
    }
    let choice = editions.join(" or ");
    Err(format!("{name} means another time in each edition of IEC 61850-5; write {choice}"))
}

/// A profile of any table, classes too, and the table it stands in; `own` are a scenario's own
/// tables, which come first. The error states what to write.
pub fn find_profile<'a>(
    own: &'a [RequirementTable],
    name: &str,
) -> Result<(&'a RequirementTable, &'a Requirement), String> {
    let all = requirement_tables();
    let found = find(own, name).or_else(|| find(all, name));
    found.ok_or_else(|| unknown(own.iter().chain(all), name))
}

fn find<'a>(
    tables: &'a [RequirementTable],
    name: &str,
) -> Option<(&'a RequirementTable, &'a Requirement)> {
    tables.iter().find_map(|table| table.get(name).map(|row| (table, row)))
}

fn unknown<'a>(tables: impl Iterator<Item = &'a RequirementTable> + Clone, name: &str) -> String {
    let names = tables.flat_map(|table| table.rows.iter()).map(|row| row.name.as_str());
    if let Some(near) = nearest(name, names.clone()) {
        return format!("there is no requirement `{name}`; did you mean `{near}`?");
    }
    let list: Vec<&str> = names.collect();
    format!("there is no requirement `{name}`; there are {}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Typed in from the tables of the latency rules, 1.1 and 1.2.
    #[test]
    fn the_tables_are_those_of_the_rules() {
        let ms = |name: &str| {
            let (_, row) = find_profile(&[], name).unwrap();
            (row.limit_ns.map(|limit| limit / 1_000_000), row.coverage)
        };
        for (name, limit_ms) in
            [("TT1", 1000), ("TT2", 500), ("TT3", 100), ("TT4", 20), ("TT5", 10), ("TT6", 3)]
        {
            assert_eq!(ms(name), (Some(limit_ms), None), "{name}");
        }
        for (name, class) in [
            ("P1", "TT6"),
            ("P2", "TT5"),
            ("P3", "TT4"),
            ("P4", "TT3"),
            ("P5", "TT2"),
            ("P6", "TT1"),
            ("P7", "TT6"),
            ("P8", "TT5"),
            ("P9", "TT0"),
            ("P10", "TT2"),
            ("P11", "TT1"),
            ("P12", "TT0"),
        ] {
            assert_eq!(ms(&format!("ed2-{name}")), ms(class), "{name}");
        }
        for (name, limit_ms) in [("ed1-P1", 10), ("ed1-P2", 3), ("ed1-P3", 3)] {
            assert_eq!(ms(name), (Some(limit_ms), None), "{name}");
        }
        for (name, limit_s, coverage) in [
            ("on-demand-read", 15, 0.98),
            ("scheduled-read", 4 * 3600, 0.98),
            ("bulk-read", 3600, 0.995),
            ("outage-report", 20, 0.98),
            ("distribution-automation", 5, 0.995),
        ] {
            assert_eq!(ms(name), (Some(limit_s * 1000), Some(coverage)), "{name}");
        }
        assert_eq!(ms("inside-protection"), (Some(4), None));
        assert_eq!(ms("book-metering"), (Some(10_000), None));
    }

    #[test]
    fn each_name_stands_for_one_row_and_states_its_source() {
        let mut names = Vec::new();
        for table in requirement_tables() {
            assert!(!table.rows.is_empty() && !table.edition.is_empty());
            assert!(table.source.len() > 20, "{}", table.id);
            names.extend(table.rows.iter().map(|row| row.name.as_str()));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let limits: Vec<_> = transfer_time_classes().iter().map(|row| row.limit_ns).collect();
        assert!(limits[0].is_none() && limits[1..].is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn a_performance_class_without_its_edition_is_refused() {
        let error = find_class("P1").unwrap_err();
        assert!(error.ends_with("write `ed2-P1` or `ed1-P1`"), "{error}");
        assert!(find_class("P12").unwrap_err().ends_with("write `ed2-P12`"));
        assert_eq!(find_class("ed1-P1").unwrap().1.limit_ns, Some(10_000_000));
        assert!(find_class("TT7").unwrap_err().contains("did you mean `TT"));
        assert!(find_class("bulk-read").is_err());
    }

    #[test]
    fn a_scenario_brings_its_own_rows() {
        let text = "format = 1\ntitle = \"t\"\nedition = \"2027\"\nsource = \"our contract\"\n\
            [[requirement]]\nname = \"ours\"\nlimit = \"2 s\"\ncoverage = \"95 %\"\n\
            use = \"x\"\nstanding = \"original\"\n";
        let own = [RequirementTable::read("ours", text).unwrap()];
        let (_, row) = find_profile(&own, "ours").unwrap();
        assert_eq!((row.limit_ns, row.coverage), (Some(2_000_000_000), Some(0.95)));
        assert_eq!(row.standing, Provenance::Original);
        assert!(find_profile(&[], "ours").is_err());
        let wrong = text.replace("2 s", "2 V").replace("use", "usage");
        let errors = RequirementTable::read("ours", &wrong).unwrap_err();
        assert!(errors.len() >= 2, "{errors:?}");
    }
}
