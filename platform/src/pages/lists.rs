//! The frame of lists: what is looked for, and the part of what fits that is on a page; both stand
//! in the address.

use serde_json::{Value, json};

use super::viewer::{Viewer, in_address};

/// Rows of a page.
const SHOWN: usize = 50;

/// What is on a page of a list.
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    count: usize,
    from: usize,
    path: &'static str,
    text: String,
    /// What else the address has, behind `&`.
    rest: String,
}

impl<T> Listed<T> {
    /// Those of all that fit what the address looks for, in lower case.
    pub(super) fn of(viewer: &Viewer, mut all: Vec<T>, fits: impl Fn(&T, &str) -> bool) -> Self {
        let field = |name| if viewer.is_form() { "" } else { viewer.field(name) };
        let text = field("find").trim().to_lowercase();
        all.retain(|one| text.is_empty() || fits(one, &text));
        let (count, from) = (all.len(), field("from").parse().unwrap_or(0_usize));
        let rows = all.into_iter().skip(from).take(SHOWN).collect();
        let rest = match field("role") {
            "" => String::new(),
            role => format!("&role={}", in_address(role)),
        };
        Self { rows, count, from, path: viewer.page.path, text, rest }
    }

    /// What stands around the rows.
    pub(super) fn around(&self) -> Value {
        let link = |from: usize| {
            format!("{}?find={}&from={from}{}", self.path, in_address(&self.text), self.rest)
        };
        let next = self.from.saturating_add(self.rows.len());
        json!({
            "path": self.path,
            "find": self.text,
            "count": self.count,
            "shown": self.rows.len(),
            "before": (self.from > 0).then(|| link(self.from.saturating_sub(SHOWN))),
            "after": (next < self.count).then(|| link(next)),
        })
    }
}
