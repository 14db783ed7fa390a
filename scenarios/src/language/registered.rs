//! What is registered in the sections, for lists and explanations.

use lastmeter_params::Field;

use super::draft::{Section, once_first};
use super::section::SECTIONS;

/// One registered source, link, device, injection or check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registered {
    /// The section it may stand in.
    pub section: &'static str,
    /// What a list of such calls them.
    pub heading: &'static str,
    /// The word in a scenario.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it is, at length.
    pub description: &'static str,
    /// The keys it adds to its table, besides those every table of its section has.
    pub fields: &'static [Field],
}

/// Everything that is registered, section by section.
pub fn registry() -> Vec<Registered> {
    let of = |section: &&'static Section| {
        let Section { name: section, heading, entries, .. } = **section;
        entries().into_iter().map(move |entry| Registered {
            section,
            heading,
            name: entry.name,
            summary: entry.summary,
            description: entry.description,
            fields: entry.fields,
        })
    };
    SECTIONS.iter().flat_map(of).collect()
}

/// The names of all sections.
pub fn section_names() -> impl Iterator<Item = &'static str> {
    once_first(SECTIONS).map(|section| section.name)
}
