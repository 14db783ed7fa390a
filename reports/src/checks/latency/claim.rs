//! What a `latency` check is to show: a limit, and the share of messages that has to keep it.

use lastmeter_params::{Code, Diagnostics, Values};
use lastmeter_record::Point;

use crate::check::kind::CheckContext;
use crate::checks::rows;
use crate::latency::{
    Claim as Shares, Limit, Requirement, RequirementTable, Span, describe, find_class, find_profile,
};

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) limit: Limit,
    pub(super) shares: Shares,
    /// The class or profile; empty if a plain limit is given.
    pub(super) name: String,
    /// From where it is, for people.
    pub(super) source: String,
    /// Whether it is of a table of the scenario's own.
    pub(super) is_own: bool,
}

impl Claim {
    pub(super) fn read(
        values: &Values,
        context: &CheckContext,
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let keys = ["limit", "class", "profile"];
        let written: Vec<&str> = keys.into_iter().filter(|key| values.get(key).is_some()).collect();
        let [key] = written[..] else {
            let found = match written[..] {
                [] => "none".to_owned(),
                _ => format!("`{}`", written.join("` and `")),
            };
            let message =
                format!("a latency check needs one of limit, class, profile; has {found}");
            let help = "write for example limit = \"1 s\" or class = \"TT3\"".to_owned();
            let label = "no one limit";
            out.report_with_help(Code::DOES_NOT_FIT, values.span, message, label, Some(help));
            return None;
        };
        if key == "limit" {
            return Some(Self {
                limit: Limit::of(rows::time_ns(values, key)),
                shares: rows::shares(values, None)?,
                name: String::new(),
                source: String::new(),
                is_own: false,
            });
        }
        // The transfer time of IEC 61850-5 includes the processing at the sender.
        if let Ok(span) = Span::read(values.text("path"))
            && span.from != Point::Intended
        {
            let message =
                format!("a {key} is about the end-to-end delay, from when a message was due");
            let help = "write `intended..` at the beginning of `path`, or a plain `limit`";
            let (label, place) = ("leaves the sender's lag out", values.span_of("path"));
            let help = Some(help.to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, place, message, label, help);
            return None;
        }
        let own = own_tables(values, context, out)?;
        let name = values.text(key);
        let found = if key == "class" { find_class(name) } else { find_profile(&own, name) };
        match found {
            Ok((table, row)) => Some(Self {
                limit: Limit::of(row.limit_ns),
                shares: rows::shares(values, row.coverage)?,
                name: row.name.clone(),
                source: source_of(table, row),
                is_own: own.iter().any(|own| std::ptr::eq(own, table)),
            }),
            Err(why) => {
                out.report(Code::UNKNOWN_REFERENCE, values.span_of(key), why, "not in a table");
                None
            }
        }
    }

    /// `TT1`, or `1 s` without a class.
    pub(super) fn describe(&self) -> String {
        if self.name.is_empty() {
            describe(self.limit.ns().unwrap_or(0))
        } else {
            self.name.clone()
        }
    }

    /// `66 over 1 s`, `66 lost` where delivery alone is asked for.
    pub(super) fn over(&self, k: u64) -> String {
        match self.limit.ns() {
            Some(limit_ns) => format!("{k} over {}", describe(limit_ns)),
            None => format!("{k} lost"),
        }
    }
}

/// From where a limit is, for people.
fn source_of(table: &RequirementTable, row: &Requirement) -> String {
    format!("{}, {}", table.edition, row.standing.words())
}

/// The scenario's own tables; `None` after a mistake.
fn own_tables(
    values: &Values,
    context: &CheckContext,
    out: &mut Diagnostics,
) -> Option<Vec<RequirementTable>> {
    let Some(name) = values.text_opt("requirements") else { return Some(Vec::new()) };
    let span = values.span_of("requirements");
    let Some(text) = context.files.get(name) else {
        let message = format!("the file `{name}` cannot be read");
        out.report(Code::FILE_UNREADABLE, span, message, "no such file");
        return None;
    };
    match RequirementTable::read(name, text) {
        Ok(table) => Some(vec![table]),
        Err(errors) => {
            let message = format!("`{name}` is not a requirement table: {}", errors.join("; "));
            out.report(Code::FILE_REFUSED, span, message, "not a requirement table");
            None
        }
    }
}
