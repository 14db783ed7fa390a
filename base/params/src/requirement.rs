//! The rows of `docs/requirements.md`, which checks name in `covers`, with their words.
//!
//! The page is the one place where they are written; it comes along inside the program.

const PAGE: &str = include_str!("../../../docs/requirements.md");

/// One row of `docs/requirements.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name, such as `F-04`.
    pub id: &'static str,
    /// What it asks for, in a few words.
    pub words: &'static str,
    /// What the library of scenarios has for it: `no check`, `check` or `check with twin`.
    pub state: &'static str,
}

impl Requirement {
    /// All rows, in the order of the page.
    pub fn all() -> impl Iterator<Item = Self> {
        PAGE.lines().filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let (id, words, state) = (cells.next()?, cells.next()?, cells.next()?);
            let is_row = id.len() == 4 && id.as_bytes()[1] == b'-';
            is_row.then_some(Self { id, words, state })
        })
    }

    /// The row of a name; `None` for what is no row.
    #[must_use]
    pub fn lookup(id: &str) -> Option<Self> {
        Self::all().find(|row| row.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_page_is_found_with_its_words() {
        let rows: Vec<Requirement> = Requirement::all().collect();
        let lines = PAGE.lines().filter(|line| line.contains("check |")).count();
        let with_twins = PAGE.lines().filter(|line| line.contains("check with twin |")).count();
        assert_eq!(rows.len(), lines + with_twins);
        assert!(rows.iter().all(|row| !row.words.is_empty() && row.state.contains("check")));
        let row = Requirement::lookup("C-04").unwrap();
        assert_eq!(row.words, "quantities of a CAN meter");
        assert_eq!((Requirement::lookup("F-99"), Requirement::lookup("")), (None, None));
    }
}
