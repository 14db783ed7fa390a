//! A must-fail twin that a table `[[must_fail]]` describes: the tables of its scenario with what
//! shortens it and its defect, and where its mistakes are shown.

use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Node, NodeValue, SourceId, Span, Table, TableEntry, nearest,
};
use lastmeter_reports::IMPLICIT_CHECKS;

use super::draft::Section;
use super::overlay::{Overlay, section_at};
use super::read::{list_at, table_at, table_at_mut};
use super::section::calibration::CALIBRATION;
use super::section::check::CHECK;
use super::section::expect::EXPECT;
use super::section::matrix::MATRIX;
use super::section::must_fail::MUST_FAIL;
use super::section::scenario::SCENARIO;
use super::section::signal::SIGNAL;
use super::section::test_plan::TEST_PLAN;

/// What is judged, when and by which limits: no defect is in there.
static JUDGING: [&Section; 5] = [&SCENARIO, &TEST_PLAN, &CALIBRATION, &SIGNAL, &CHECK];

/// What is made by a table `[[must_fail]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TwinKind {
    /// The scenario with what shortens it and with the defect.
    Twin,
    /// The same without the defect.
    Control,
}

/// A table `[[must_fail]]`.
#[derive(Clone, Copy)]
pub(super) struct TwinTable<'a> {
    table: &'a Table,
    span: Span,
}

impl<'a> TwinTable<'a> {
    /// Those of a scenario, as far as they are tables.
    pub(super) fn all(root: &'a Table) -> impl Iterator<Item = Self> {
        rows(root, MUST_FAIL.name).map(|(table, span)| Self { table, span })
    }

    pub(super) fn name(self) -> Option<&'a str> {
        self.table.text("name")
    }

    /// What shortens it, with the checks that are left out: what it shares with a scenario that
    /// has no defect.
    fn shortening(self) -> Overlay {
        let shortened = table_at(self.table, "shortened").cloned().unwrap_or_default();
        let mut overlay = Overlay::read(&shortened);
        for (key, address) in [
            ("duration", "scenario.duration"),
            ("start", "scenario.start"),
            ("tests", "test_plan.tests"),
        ] {
            if let Some(entry) = shortened.entry(key) {
                overlay.set.push(TableEntry { key: address.to_owned(), ..entry.clone() });
            }
        }
        let without = table_at(self.table, "without").map_or(&[][..], |it| it.entries.as_slice());
        for TableEntry { key, key_span, .. } in without {
            overlay.remove.push((format!("{}.{key}", CHECK.name), *key_span));
        }
        overlay
    }

    /// The tables of the twin: a scenario by itself. What cannot be changed is reported.
    pub(super) fn applied(self, root: &Table, out: &mut Diagnostics) -> Table {
        let defect = Overlay::read(self.table);
        if defect.is_empty() {
            let message = "nothing is broken here: the twin would pass as its scenario does";
            let help = Some("describe the defect by `set`, `remove` or `add`".to_owned());
            out.report_with_help(Code::BAD_TWIN, self.name_span(), message, "no defect", help);
        }
        self.report_unknown_original(root, out);
        report_judging(&defect, out);
        let control = self.control(root, out);
        let mut twin = defect.applied(control, out);
        if let Some(head) = table_at_mut(&mut twin, "scenario") {
            for entry in ["name", "title"].into_iter().filter_map(|key| self.table.entry(key)) {
                head.set(&entry.key, entry.key_span, entry.node.clone());
            }
        }
        cover_nothing(&mut twin);
        self.expect(root, &mut twin);
        twin
    }

    /// The tables of the twin without its defect, which has to end as its scenario does: what it
    /// judges is what the twin does. What cannot be changed is reported.
    pub(super) fn control(self, root: &Table, out: &mut Diagnostics) -> Table {
        let mut control = root.clone();
        control.entries.retain(|entry| ![MUST_FAIL.name, MATRIX.name].contains(&&*entry.key));
        let shortening = self.shortening();
        for (address, span) in shortening.changed() {
            if address == "scenario.name" || section_at(address) == EXPECT.name {
                let message = format!("`{address}` is not for the overlay of a twin");
                let help = "`name`, `check` and `verdict` of the table are what it is called and \
                            how it ends";
                let help = Some(help.to_owned());
                out.report_with_help(Code::BAD_TWIN, span, message, "without effect", help);
            }
        }
        let mut control = shortening.applied(control, out);
        cover_nothing(&mut control);
        control
    }

    /// Writes down how the twin has to end.
    fn expect(self, root: &Table, twin: &mut Table) {
        let text = |text: &str, span| Node { value: NodeValue::String(text.to_owned()), span };
        let (check, original) = (self.table.get("check"), self.original());
        let span = original.map_or(self.span, |(_, span)| span);
        let mut expect = Table::default();
        let verdict = self.table.get("verdict").cloned().unwrap_or_else(|| text("fail", span));
        expect.set("verdict", span, verdict);
        if let Some(check) = check {
            expect.set("check", span, check.clone());
        }
        if let Some(reason) = self.table.get("reason") {
            expect.set("reason", span, reason.clone());
        }
        if let (Some(scenario), Some((original, _))) = (name_of(root), original) {
            expect.set("twin_of", span, text(&format!("{scenario}/{original}"), span));
        }
        twin.set("expect", self.span, Node { value: NodeValue::Table(expect), span });
    }

    /// The check of the scenario that it mirrors.
    fn original(self) -> Option<(&'a str, Span)> {
        ["mirrors", "check"].into_iter().find_map(|key| {
            let node = self.table.get(key)?;
            Some((self.table.text(key)?, node.span))
        })
    }

    /// The check that it mirrors is one of the scenario's own.
    fn report_unknown_original(self, root: &Table, out: &mut Diagnostics) {
        let Some((original, span)) = self.original() else { return };
        let check = self.table.text("check").unwrap_or_default();
        if self.table.get("mirrors").is_some() && !IMPLICIT_CHECKS.contains(&check) {
            let message = format!("`{check}` is a check of the scenario, and mirrors itself");
            let help = Some("leave `mirrors` out".to_owned());
            out.report_with_help(Code::BAD_TWIN, span, message, "for implicit checks", help);
            return;
        }
        let checks = || rows(root, CHECK.name).filter_map(|(check, _)| check.text("name"));
        if checks().any(|check| check == original) {
            return;
        }
        if self.table.get("mirrors").is_some() {
            let message = format!("there is no check named `{original}` to be the twin of");
            let help = nearest(original, checks()).map(|near| format!("did you mean `{near}`?"));
            out.report_with_help(Code::BAD_TWIN, span, message, "not in this scenario", help);
        } else if IMPLICIT_CHECKS.contains(&original) {
            let message = format!("`{original}` is not a check of the scenario itself");
            let help = "write in `mirrors` which of its checks this is the twin of".to_owned();
            out.report_with_help(Code::BAD_TWIN, span, message, "needs `mirrors`", Some(help));
        }
    }

    fn name_span(self) -> Span {
        self.table.get("name").map_or(self.span, |node| node.span)
    }

    /// From where to where the table stands in its file.
    fn extent(self) -> Span {
        let mut extent = self.span;
        widen(&mut extent, self.table);
        extent
    }

    /// A mistake of the twin, or of its control, at its place in this table. One that is a
    /// consequence elsewhere in the file is shown at the twin's name, with the line that it is
    /// about.
    pub(super) fn located(
        self,
        made: TwinKind,
        mistake: Diagnostic,
        line_of: impl Fn(Span) -> usize,
    ) -> Diagnostic {
        let (extent, span) = (self.extent(), mistake.span);
        let is_inside = span.start >= extent.start && span.end <= extent.end;
        if span.source != SourceId::FILE || is_inside {
            return mistake;
        }
        let name = self.name().unwrap_or_default();
        let Diagnostic { code, message, label, help, .. } = mistake;
        Diagnostic {
            code,
            message: match made {
                TwinKind::Twin => format!("in the must-fail twin `{name}`: {message}"),
                TwinKind::Control => format!(
                    "in the control of the must-fail twin `{name}`, the scenario with `shortened` \
                     and `without` alone: {message}"
                ),
            },
            span: self.name_span(),
            label: format!("line {}: {label}", line_of(span)),
            help,
        }
    }
}

/// A change of what is judged is no defect: it belongs to what the control has as well.
fn report_judging(defect: &Overlay, out: &mut Diagnostics) {
    for (address, span) in defect.changed() {
        let section = section_at(address);
        if !JUDGING.iter().chain([&&EXPECT]).any(|judging| judging.name == section) {
            continue;
        }
        let message = format!("`{address}` is not a defect: it changes what is judged");
        let help = "a defect is in what is measured. What else differs from the scenario stands in \
                    `shortened`, with its reason, and checks that are left out in `without`: with \
                    these alone the scenario has to pass";
        let label = "expected in `shortened` or `without`";
        out.report_with_help(Code::BAD_TWIN, span, message, label, Some(help.to_owned()));
    }
}

/// What a twin and its control cover counts for nothing.
fn cover_nothing(root: &mut Table) {
    let Some(NodeValue::Array(checks)) = root.get_mut(CHECK.name).map(|it| &mut it.value) else {
        return;
    };
    for check in checks {
        if let NodeValue::Table(check) = &mut check.value {
            check.entries.retain(|entry| entry.key != "covers");
        }
    }
}

pub(super) fn name_of(root: &Table) -> Option<&str> {
    table_at(root, "scenario")?.text("name")
}

/// The tables of a section that repeats, each with its place.
fn rows<'a>(root: &'a Table, section: &str) -> impl Iterator<Item = (&'a Table, Span)> {
    list_at(root, section).iter().filter_map(|node| match &node.value {
        NodeValue::Table(table) => Some((table, node.span)),
        _ => None,
    })
}

fn widen(extent: &mut Span, table: &Table) {
    for TableEntry { key_span, node, .. } in &table.entries {
        for span in [*key_span, node.span] {
            (extent.start, extent.end) = (extent.start.min(span.start), extent.end.max(span.end));
        }
        let inner: &[Node] = match &node.value {
            NodeValue::Array(list) => list,
            _ => std::slice::from_ref(node),
        };
        for node in inner {
            if let NodeValue::Table(table) = &node.value {
                widen(extent, table);
            }
        }
    }
}
