//! Runs in quarantine: known to be no pass for now, with somebody who sees to it and a last day.
//!
//! ```toml
//! [[quarantine]]
//! run = "storm/lost-*"          # as `--filter` takes it
//! owner = "head-end team"
//! reason = "the broker loses the last will, issue 12"
//! until = 2027-03-31
//! ```

use std::path::Path;

use lastmeter_language::Scenario;
use lastmeter_reports::suite::Quarantine;
use lastmeter_units::{SimDuration, SimTime};
use serde::Deserialize;
use toml::value::Datetime;

use crate::filter::Filter;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    quarantine: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    run: String,
    owner: String,
    reason: String,
    until: Datetime,
}

/// The entries of a file, each with the runs it is about.
pub(super) struct Quarantined(Vec<(Filter, Quarantine)>);

impl Quarantined {
    /// Reads a file of entries; whether they have expired is of this instant. The error states what
    /// is wrong with it, and where.
    pub(super) fn read(path: &Path, now: SimTime) -> Result<Self, String> {
        let at = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{at}: {error}"))?;
        let written: Written = toml::from_str(&text).map_err(|error| format!("{at}: {error}"))?;
        let entry = |row: Row| {
            let filter = Filter::read(&row.run).map_err(|error| format!("`run`: {error}"))?;
            for (key, text) in [("owner", &row.owner), ("reason", &row.reason)] {
                if text.trim().is_empty() {
                    return Err(format!("`{key}` is empty; expected who sees to it, and why"));
                }
            }
            let day = row.until.to_string();
            let end = last_instant(&row.until).ok_or_else(|| {
                format!("`until` is {day}; expected a day alone, as in `until = 2027-03-31`")
            })?;
            let (owner, reason) = (row.owner, row.reason);
            Ok((filter, Quarantine { owner, reason, until: day, has_expired: end < now }))
        };
        let entries = written.quarantine.into_iter().enumerate().map(|(number, row)| {
            entry(row).map_err(|error| format!("{at}: entry {}: {error}", number + 1))
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// The entry of a run.
    pub(super) fn of(&self, scenario: &Scenario) -> Option<Quarantine> {
        // Each is asked, so that what fits nothing is known.
        let mut fitting = self.0.iter().filter(|(filter, _)| filter.fits(scenario));
        let first = fitting.next().map(|(_, entry)| entry.clone());
        fitting.for_each(drop);
        first
    }

    /// What fits none of the runs that were asked for.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|(filter, _)| filter.unused())
    }
}

/// The end of a day, in UTC; `None` of what is no day alone.
fn last_instant(day: &Datetime) -> Option<SimTime> {
    let date = day.date.filter(|_| day.time.is_none() && day.offset.is_none())?;
    // Beyond what an instant can be.
    if date.year > 2200 {
        return Some(SimTime(i64::MAX));
    }
    let text = format!("{date}T00:00:00Z");
    let start: SimTime = text.parse().ok()?;
    Some(start + SimDuration::from_seconds(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Quarantine>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("q.toml");
        std::fs::write(&path, text).expect("a file");
        let now = "2027-03-31T23:59:59Z".parse().expect("an instant");
        let read = Quarantined::read(&path, now)?;
        Ok(read.0.into_iter().map(|(_, entry)| entry).collect())
    }

    fn entry(until: &str) -> String {
        format!("[[quarantine]]\nrun = \"a\"\nowner = \"us\"\nreason = \"x\"\nuntil = {until}\n")
    }

    #[test]
    fn an_entry_lasts_through_its_day() {
        let days = ["2027-03-30", "2027-03-31", "2999-04-01"];
        let text: String = days.into_iter().map(entry).collect();
        let expired: Vec<bool> =
            read(&text).expect("entries").iter().map(|entry| entry.has_expired).collect();
        assert_eq!(expired, [true, false, false]);
    }

    #[test]
    fn an_entry_without_all_that_it_needs_is_refused() {
        for (text, expected) in [
            (entry("2027-03-31").replace("owner = \"us\"\n", ""), "missing field `owner`"),
            (entry("2027-03-31").replace("\"x\"", "\" \""), "entry 1: `reason` is empty"),
            (entry("2027-03-31T10:00:00Z"), "entry 1: `until` is 2027-03-31T10:00:00Z; expected"),
            (entry("\"soon\""), "line 5"),
            (entry("2027-03-31").replace("\"a\"", "\"\""), "entry 1: `run`: a term is empty"),
            (entry("2027-03-31") + "more = 1\n", "unknown field `more`"),
        ] {
            let error = read(&text).expect_err(&text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
