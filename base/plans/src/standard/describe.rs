//! A test plan and its items in words.

use super::coordinates::Coordinates;
use super::model::{Connection, IN_THIS_PLAN, Limit, value_text};
use super::test_plan::TestPlan;
use lastmeter_text::{append, number, plural};

impl Coordinates {
    /// `0.05 In, PF 0.5 ind, L1 only, 1.1 Un`: what differs from the usual.
    pub fn describe(&self, test_plan: &TestPlan) -> String {
        let mut parts = Vec::new();
        match &self.current {
            Some((text, _)) => {
                parts.push(text.clone());
                let factor = &self.power_factor.text;
                let is_plain = !factor.starts_with("sin") && !factor.ends_with("deg");
                parts.push(if is_plain { format!("PF {factor}") } else { factor.clone() });
            }
            None => parts.push("no current".to_owned()),
        }
        if self.export {
            parts.push("export".to_owned());
        }
        if let Some(phase) = self.loaded {
            parts.push(format!("L{} only", phase + 1));
        }
        if let Some([l1, l2, l3]) = self.phase_voltages {
            let [l1, l2, l3] = [l1, l2, l3].map(number);
            parts.push(format!("U {l1} / {l2} / {l3} Un"));
        }
        if self.voltage != 1.0 {
            parts.push(format!("{} Un", number(self.voltage)));
        }
        if self.frequency != 1.0 {
            parts.push(format!("{} fn", number(self.frequency)));
        }
        if self.celsius != test_plan.temperature {
            parts.push(format!("{} °C", number(self.celsius)));
        }
        if self.waveform != 0 {
            parts.push(test_plan.waveforms[self.waveform].name.clone());
        }
        if self.reversed {
            parts.push("reversed sequence".to_owned());
        }
        parts.join(", ")
    }
}

/// Its title, its notes, and what it is about.
fn head(test_plan: &TestPlan) -> String {
    let TestPlan { name, title, notes, edition, .. } = test_plan;
    let blank = if notes.is_empty() { "" } else { "\n\n" };
    let (all, confirmed) = test_plan.confirmation();
    let words = test_plan.connections.iter().map(|one| Connection::word(*one));
    let (classes, connections) =
        (test_plan.classes.join(", "), words.collect::<Vec<_>>().join(", "));
    format!(
        "{name} (test plan): {title}\n\n{notes}{blank}  edition      {edition}\n  \
         classes      {classes}\n  connection   {connections}\n  \
         limits       {all}, of which {confirmed} confirmed in a source\n\nTests:\n"
    )
}

/// All there is to know about a test plan, for a terminal.
pub fn explain_test_plan(test_plan: &TestPlan) -> String {
    let mut text = head(test_plan);
    let mut line = |args: std::fmt::Arguments<'_>| append(&mut text, args);
    for test in &test_plan.tests {
        let word = test.evaluate.word();
        line(format_args!("  {}  {} ({word} of {})\n", test.name, test.title, test.quantity));
        if let Some(reason) = &test.not_played {
            line(format_args!("      not played: {reason}\n"));
        }
        for limit in &test.limits {
            let figures: Vec<String> = limit
                .values
                .iter()
                .map(|(class, figure)| {
                    format!("{} {}", test_plan.classes[*class], value_text(*figure, "%"))
                })
                .collect();
            let from = limit.from.as_ref().map(|from| format!("from {} ", from.text));
            let below = limit.below.as_ref().map(|below| format!("below {} ", below.text));
            let factors = match limit.power_factor.as_slice() {
                [] => String::new(),
                list => format!("PF {} ", list.join(", ")),
            };
            line(format_args!(
                "      {}{}{factors}class {}  [{}]\n",
                from.unwrap_or_default(),
                below.unwrap_or_default(),
                figures.join(", class "),
                limit.describe(),
            ));
        }
    }
    for sweep in &test_plan.sweeps {
        line(format_args!("  {}  {} (sweep)\n", sweep.name, sweep.title));
    }
    for row in &test_plan.published {
        let word = if row.fitted { "fitted" } else { "predicted" };
        line(format_args!(
            "  {}  {}: published {} ({word})\n",
            row.name,
            row.title,
            row.describe()
        ));
    }
    if !test_plan.missing_clauses.is_empty() {
        let count = plural(test_plan.missing_clauses.len() as u64, "clause");
        line(format_args!(
            "\nNot in this test plan ({count}): with any of them a class is met {IN_THIS_PLAN}\n"
        ));
        for clause in &test_plan.missing_clauses {
            let elsewhere = clause.elsewhere.as_ref();
            let elsewhere =
                elsewhere.map_or_else(String::new, |other| format!("; tested by {other}"));
            let word = if clause.confirmed { "" } else { ", unverified" };
            line(format_args!(
                "  {}  {} [{}{word}]: {}{elsewhere}\n",
                clause.name, clause.title, clause.clause, clause.reason
            ));
        }
    }
    text
}

impl Limit {
    /// `EDITION, CLAUSE: confirmed, SOURCE`.
    pub fn describe(&self) -> String {
        let Self { edition, clause, source, .. } = self;
        let word = if self.confirmed { "confirmed" } else { "unverified" };
        // A source may be no more than that there is none, or begin with it.
        match source
            .strip_prefix("unverified")
            .map_or(source.as_str(), |rest| rest.trim_start_matches([';', ',', ' ']))
        {
            "" => format!("{edition}, {clause}: {word}"),
            more => format!("{edition}, {clause}: {word}, {more}"),
        }
    }
}
