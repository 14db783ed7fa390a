//! The same table for people.

use std::fmt::Write as _;

use super::super::class::Class;
use super::{COMMANDS, Entry, Except, Fate, NOTED_CLASSES, OPTIONS};

/// The table as sections of Markdown: each a heading of second rank, with rows of name, fate and
/// remark. What is neither a command, an option, a property nor a class of it is unknown, and
/// rejected too.
#[must_use]
pub fn page() -> Vec<(String, Vec<[String; 3]>)> {
    let mut sections = vec![
        ("Commands".to_owned(), rows(COMMANDS)),
        ("Options of `set` and `solve`".to_owned(), rows(OPTIONS)),
    ];
    for class in Class::ALL {
        sections.push((format!("Class `{}`", class.name()), rows(class.properties())));
    }
    sections.push(("Classes that are left out".to_owned(), rows(NOTED_CLASSES)));
    sections
}

fn rows(entries: &[Entry]) -> Vec<[String; 3]> {
    entries.iter().map(row).collect()
}

fn row(entry: &Entry) -> [String; 3] {
    let fate = match entry.fate {
        Fate::Obeyed => "obeyed",
        Fate::Noted => "noted",
        Fate::Rejected => "rejected",
    };
    let mut remark = entry.remark.to_owned();
    if let Except::Values(values) = entry.except {
        // Writing to a String cannot fail.
        let _ = write!(remark, " (`{}` is accepted)", values.join("`, `"));
    }
    [entry.name.to_owned(), fate.to_owned(), remark]
}
