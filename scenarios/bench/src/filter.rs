//! Which of the scenarios that were found are meant: `--filter`.
//!
//! Terms: a *filter* is a list of *terms* joined by commas, of which one has to fit; a term is a
//! name or a pattern with `*`, `SCENARIO/TWIN` or `SCENARIO/CASE`, `tag:WORD`, or `covers:ROW`, and
//! `!` before it turns it round. Of several filters all have to fit.

use std::cell::Cell;

use lastmeter_language::Scenario;
use lastmeter_params::Pattern;

/// One `--filter`: the terms of which one has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    text: String,
    what: TermKind,
    is_turned: bool,
    /// Whether anything that was looked at is what it is about.
    has_fitted: Cell<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TermKind {
    Name(Pattern),
    /// Of a must-fail twin or a case, behind the name of its scenario.
    Path(Pattern),
    Tag(String),
    Covers(String),
}

impl Filter {
    /// Reads a filter. The error states what was found and what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(|term| Term::read(term.trim()))
            .collect::<Result<_, _>>()
            .map(|terms| Self { terms })
    }

    /// Whether a scenario is meant.
    pub fn fits(&self, scenario: &Scenario) -> bool {
        let covers = scenario.checks.iter().flat_map(|check| &check.covers);
        let covers: Vec<&str> = covers.map(String::as_str).collect();
        let about = &scenario.about;
        if let (Some((name, _)), Some(_)) = (about.name.split_once('/'), &about.case) {
            return self.fits_what((name, Some(&about.name)), &about.tags, &covers);
        }
        let path = scenario.expected().map(|it| format!("{}/{}", it.twin_scenario, about.name));
        self.fits_what((&about.name, path.as_deref()), &about.tags, &covers)
    }

    /// Whether a case of a scenario is meant, which has that one's tags and covers what it does.
    pub fn fits_case(&self, scenario: &Scenario, case: &str) -> bool {
        let covers = scenario.checks.iter().flat_map(|check| &check.covers);
        let covers: Vec<&str> = covers.map(String::as_str).collect();
        let name = &scenario.about.name;
        let path = format!("{name}/{case}");
        self.fits_what((name, Some(&path)), &scenario.about.tags, &covers)
    }

    /// Whether the must-fail twin of a scenario is meant, which has that one's tags and covers
    /// nothing.
    pub fn fits_twin(&self, scenario: &str, name: &str, tags: &[String]) -> bool {
        self.fits_what((name, Some(&format!("{scenario}/{name}"))), tags, &[])
    }

    /// `path` is the name behind that of what it belongs to.
    fn fits_what(
        &self,
        (name, path): (&str, Option<&str>),
        tags: &[String],
        covers: &[&str],
    ) -> bool {
        let fits = |term: &Term| {
            let fits = match &term.what {
                TermKind::Name(pattern) => pattern.matches(name),
                TermKind::Path(pattern) => path.is_some_and(|path| pattern.matches(path)),
                TermKind::Tag(tag) => tags.contains(tag),
                TermKind::Covers(row) => covers.contains(&row.as_str()),
            };
            term.has_fitted.set(term.has_fitted.get() || fits);
            fits != term.is_turned
        };
        // Each is looked at, so that what fits nothing is known.
        self.terms.iter().filter(|term| fits(term)).count() > 0
    }

    /// Terms of which nothing that was looked at is what they are about, as they were written.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        let unused = self.terms.iter().filter(|term| !term.has_fitted.get());
        unused.map(|term| term.text.as_str())
    }
}

impl Term {
    fn read(written: &str) -> Result<Self, String> {
        let text = written;
        let (is_turned, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let expected = "expected a name, tag:WORD or covers:ROW";
        let what = match text.split_once(':') {
            None if text.is_empty() => return Err(format!("a term is empty; {expected}")),
            None if text.contains('/') => TermKind::Path(Pattern::new(text)),
            None => TermKind::Name(Pattern::new(text)),
            Some((kind, "")) => return Err(format!("nothing behind `{kind}:`; {expected}")),
            Some(("tag", tag)) => TermKind::Tag(tag.to_owned()),
            Some(("covers", row)) => TermKind::Covers(row.to_owned()),
            Some((kind, _)) => {
                return Err(format!("`{kind}:` is an unsupported kind of term; {expected}"));
            }
        };
        Ok(Self { text: written.to_owned(), what, is_turned, has_fitted: Cell::new(false) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_name_a_tag_or_a_requirement_and_any_of_several() {
        let tags = ["quick".to_owned(), "latency".to_owned()];
        for (text, fits) in [
            ("first-light", true),
            ("first", false),
            ("first-*", true),
            ("*", true),
            ("tag:quick", true),
            ("tag:qui", false),
            ("covers:F-12", true),
            ("covers:F-1", false),
            ("quick", false),
            ("!tag:quick", false),
            ("!tag:slow", true),
            ("second, tag:latency", true),
            ("second,third", false),
            ("second,!third", true),
        ] {
            let filter = Filter::read(text).unwrap();
            let name = ("first-light", None);
            assert_eq!(filter.fits_what(name, &tags, &["F-04", "F-12"]), fits, "{text}");
        }
    }

    #[test]
    fn a_twin_is_meant_by_its_name_or_behind_that_of_its_scenario() {
        for (text, fits) in [
            ("gain", true),
            ("first-light/gain", true),
            ("first-light/*", true),
            ("second/gain", false),
            ("first-light", false),
            ("tag:quick", true),
            ("covers:F-04", false),
        ] {
            let filter = Filter::read(text).unwrap();
            assert_eq!(
                filter.fits_twin("first-light", "gain", &["quick".to_owned()]),
                fits,
                "{text}"
            );
        }
        // A scenario is no twin.
        let path = Filter::read("first-light/*").unwrap();
        assert!(!path.fits_what(("first-light", None), &[], &[]));
    }

    #[test]
    fn what_fits_nothing_is_known_afterwards() {
        let filter = Filter::read("first-*, !tag:slwo, secnd").unwrap();
        for name in ["first-light", "second"] {
            filter.fits_what((name, None), &["slow".to_owned()], &[]);
        }
        assert_eq!(filter.unused().collect::<Vec<_>>(), ["!tag:slwo", "secnd"]);
    }

    #[test]
    fn what_is_no_filter_is_refused_with_what_is_one() {
        for (text, expected) in [
            ("", "a term is empty"),
            ("a,", "a term is empty"),
            ("!", "a term is empty"),
            ("tag:", "nothing behind `tag:`"),
            ("name:x", "`name:` is an unsupported kind of term"),
        ] {
            let error = Filter::read(text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
