//! What a section of the language is, and the tables of a scenario section by section, each checked
//! by itself, on their way to a scenario that makes sense.
//!
//! Everything that can be looked at is looked at, whatever else is wrong, so that all mistakes
//! come at once.

use std::any::Any;
use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Entry, Field, NodeValue, SourceId, Span, Table, Values, is_name,
};

/// The version of the language that is read and written here.
pub(crate) const FORMAT: i64 = 1;

pub(crate) const FILE_START: Span = Span { source: SourceId::FILE, start: 0, end: 0 };

/// There is a mistake, which has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported;

/// What a section builds from its own tables alone, for whoever asks the scenario for its type.
pub(crate) type Part = Arc<dyn Any + Send + Sync>;

/// Looks whether the tables are such as they must be; each reports its mistakes once.
pub(crate) type Rule = fn(&Draft<'_>, &mut Diagnostics);

/// A section of the language: all that reading, overrides, the schema and `lastmeter explain` need
/// to know of it.
pub struct Section {
    /// The key in the file; `OUTER.KEY` of one whose tables stand in another section.
    pub name: &'static str,
    /// What one of its tables is called in messages.
    pub(crate) noun: &'static str,
    pub(crate) doc: &'static str,
    /// The keys all its tables have.
    pub(crate) fields: &'static [Field],
    pub(crate) repeats: bool,
    pub(crate) is_required: bool,
    /// What the names of its tables are.
    pub(crate) naming: Naming,
    /// The key that names which entry a table is and what an entry is called in messages, if its
    /// tables are of several kinds.
    pub(crate) kind: Option<(&'static str, &'static str)>,
    /// What is registered in it: the kinds of its tables, or presets.
    pub(crate) entries: fn() -> Vec<Entry>,
    /// The present name of the entry that had this one before.
    pub(crate) renamed: fn(&str) -> Option<&'static str>,
    /// What `lastmeter list` calls its entries.
    pub heading: &'static str,
    /// Whether it is written out with its defaults where a file leaves it out.
    pub(crate) is_implied: fn(&Draft<'_>) -> bool,
    /// Keys, its own or those of its kinds, that hold the name of a table of another section, and
    /// that section's name.
    pub(crate) refers: &'static [(&'static str, &'static str)],
    /// What must hold of its tables, and between them and those of others.
    pub(crate) rules: &'static [Rule],
    /// What it builds, if that takes no more than its own tables, which have no mistake.
    pub(crate) build: fn(&[Row<'_>]) -> Option<Part>,
}

/// What the names of a section's tables are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Its own, each for one table.
    Unique,
    /// For people and overrides only.
    Free,
    /// Those of something else, which several tables may be about.
    Shared,
}

impl Section {
    /// One that stands once, for others to differ from.
    pub(crate) const ONCE: Self = Self {
        name: "",
        noun: "",
        doc: "",
        fields: &[],
        repeats: false,
        is_required: false,
        naming: Naming::Free,
        kind: None,
        entries: Vec::new,
        renamed: |_| None,
        heading: "",
        is_implied: |_| false,
        refers: &[],
        rules: &[],
        build: |_| None,
    };

    /// One whose tables repeat and have names, for others to differ from.
    pub(crate) const REPEATED: Self = Self { repeats: true, naming: Naming::Unique, ..Self::ONCE };

    /// The section it stands in, and its key there; `None` if it stands by itself.
    pub(crate) fn within(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once('.')
    }

    /// The entry a table names, if it names one.
    pub(crate) fn entry_of(&self, table: &Table) -> Option<Entry> {
        let (key, _) = self.kind?;
        self.entry_called(&(self.entries)(), table.text(key)?)
    }

    /// Which of its entries has, or had, this name.
    pub(crate) fn entry_called(&self, entries: &[Entry], name: &str) -> Option<Entry> {
        let name = (self.renamed)(name).unwrap_or(name);
        entries.iter().find(|entry| entry.name == name).copied()
    }

    /// As a file writes it: `[name]` or `[[name]]`.
    pub(crate) fn header(&self) -> String {
        let name = self.name;
        if self.repeats { format!("[[{name}]]") } else { format!("[{name}]") }
    }
}

/// The keys of several groups, one after another.
pub(crate) const fn joined<const COUNT: usize>(groups: &[&[Field]]) -> [Field; COUNT] {
    let mut all = [groups[0][0]; COUNT];
    let (mut filled, mut group) = (0, 0);
    while group < groups.len() {
        let mut index = 0;
        while index < groups[group].len() {
            all[filled] = groups[group][index];
            (filled, index) = (filled + 1, index + 1);
        }
        group += 1;
    }
    assert!(filled == COUNT);
    all
}

/// Notes something odd that is no mistake, with what to do about it.
pub(crate) fn warn(
    out: &mut Diagnostics,
    code: Code,
    span: Span,
    message: String,
    label: &str,
    help: &str,
) {
    let (label, help) = (label.to_owned(), Some(help.to_owned()));
    out.warn(Diagnostic { code, message, span, label, help });
}

/// The list of sections in the order that people are shown: those that stand once, then the others.
pub(crate) fn once_first(
    sections: &'static [&'static Section],
) -> impl Iterator<Item = &'static Section> {
    let once = sections.iter().filter(|section| !section.repeats);
    once.chain(sections.iter().filter(|section| section.repeats)).copied()
}

/// One table of a section. What is wrong with it has been reported; what can be stated about it can
/// still be asked, so that one mistake does not hide or cause others.
pub(crate) struct Row<'a> {
    pub(crate) table: &'a Table,
    pub(crate) span: Span,
    /// The name of the registered kind, if it has a known one.
    pub(crate) kind: Option<&'static str>,
    /// Its checked values, if it has no mistake.
    pub(crate) values: Option<Arc<Values>>,
}

impl<'a> Row<'a> {
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

    /// The name by which a key refers to another table; one that is no name has been reported.
    pub(crate) fn reference(&self, key: &str) -> Option<(&'a str, Span)> {
        self.text(key).filter(|(name, _)| is_name(name))
    }

    /// Which of the registered ones it is.
    pub(crate) fn kind_of<K>(
        &self,
        all: impl IntoIterator<Item = K>,
        entry_of: impl Fn(&K) -> &'static Entry,
    ) -> Option<K> {
        let name = self.kind?;
        all.into_iter().find(|kind| entry_of(kind).name == name)
    }
}

/// The tables of a scenario, each checked by itself.
pub(crate) struct Draft<'a> {
    pub(crate) root: &'a Table,
    /// Sections that stand in the file under a misspelt name.
    pub(crate) misspelt: Vec<&'static str>,
    /// The tables of each section, in the order of a file.
    pub(crate) sections: Vec<(&'static Section, Vec<Row<'a>>)>,
}

impl<'a> Draft<'a> {
    pub(crate) fn rows(&self, section: &Section) -> &[Row<'a>] {
        let found = self.sections.iter().find(|(known, _)| known.name == section.name);
        found.map_or(&[], |(_, rows)| rows)
    }

    /// The table of a section that stands once, if it is there.
    pub(crate) fn single(&self, section: &Section) -> Option<&Row<'a>> {
        self.rows(section).first()
    }

    /// The values of a section that stands once, if it is there and has no mistake.
    pub(crate) fn values(&self, section: &Section) -> Option<&Arc<Values>> {
        self.single(section)?.values.as_ref()
    }

    /// Whether all tables of a section were read.
    pub(crate) fn all_read(&self, section: &Section) -> bool {
        !self.root.incomplete && !self.misspelt.contains(&section.name)
    }

    /// Whether a section is left out, and not only unreadable.
    pub(crate) fn is_left_out(&self, section: &Section) -> bool {
        self.root.get(section.name).is_none() && self.all_read(section)
    }
}
