//! What a run prints while it goes: lines for people, JSON lines for programs, a progress bar.
//!
//! Results go to standard output, progress to standard error. The bar is there only on a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lastmeter_language::Injection;
use lastmeter_record::{Account, Counts, Floor, LinkFacts, Override, Status};
use lastmeter_reports::console::{VerdictLine, format_verdicts};
use lastmeter_reports::{Because, Verdict};
use lastmeter_text::plural;
use lastmeter_units::{SimDuration, SimTime};
use serde_json::{Value, json};

use super::ledger::Tally;
use super::turns::{Line, Turn};

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four switches of one output")]
pub struct ConsoleOptions {
    /// One JSON object per line instead of text.
    pub json: bool,
    /// Colour the words of the verdicts.
    pub color: bool,
    /// Show a progress bar if standard error is a terminal.
    pub progress: bool,
    /// Print nothing at all.
    pub silent: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) simulated: SimDuration,
    pub(crate) wall: Duration,
    pub(crate) published: u64,
    pub(crate) settled: Tally,
    pub(crate) refused: u64,
    pub(crate) verdicts: Counts,
}

/// Reports one run.
pub struct Console<'a> {
    pub(crate) options: ConsoleOptions,
    bar: ProgressBar,
    /// Whether somebody sees a bar, once it is the run's turn.
    has_bar: bool,
    /// The turn to print, where other runs go on beside this one.
    turn: Option<Turn<'a>>,
}

impl<'a> Console<'a> {
    /// A console for one run after another.
    pub fn new(options: ConsoleOptions) -> Self {
        Self { options, bar: ProgressBar::hidden(), has_bar: false, turn: None }
    }

    /// A console for a run that may have others beside it, which prints in its turn.
    pub(crate) fn in_turn(options: ConsoleOptions, turn: Turn<'a>) -> Self {
        Self { turn: Some(turn), ..Self::new(options) }
    }

    pub(crate) fn line(&self, text: &str) {
        if self.options.silent {
            return;
        }
        self.print(Line::Out(text.to_owned()));
    }

    /// A line about the run that is no result of it.
    pub(crate) fn error(&self, text: &str) {
        self.print(Line::Err(text.to_owned()));
    }

    fn print(&self, line: Line) {
        self.bar.suspend(|| match &self.turn {
            Some(turn) => turn.print(line),
            None => line.print(),
        });
    }

    fn json(&self, mut value: Value) {
        if let Some(object) = value.as_object_mut() {
            object.insert("format_version".to_owned(), json!(1));
        }
        self.line(&value.to_string());
    }

    pub(crate) fn started(&mut self, title: &str, name: &str, seed: u64, duration: SimDuration) {
        let value = json!({
            "event": "started", "scenario": name, "seed": seed,
            "duration_s": duration.as_seconds_f64(),
        });
        self.text_or_json(title, value);
        self.has_bar =
            self.options.progress && !self.options.json && std::io::stderr().is_terminal();
        if self.has_bar {
            let style = ProgressStyle::with_template("  {bar:30} {percent:>3} %  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            // It is drawn from the first progress on that the run makes in its turn.
            let hidden = ProgressDrawTarget::hidden();
            self.bar = ProgressBar::with_draw_target(Some(1000), hidden).with_style(style);
        }
    }

    /// In real time: this is the instant of the schedule's first event time. Whoever takes part
    /// from outside dates by it; people are shown it where there is such a party.
    pub(crate) fn schedule_begins(&self, start: SimTime, has_others: bool) {
        if self.options.json {
            self.json(json!({ "event": "schedule", "start": start }));
        } else if has_others {
            self.line(&format!("  the schedule begins: it is {start} now"));
        }
    }

    /// What options of the command line have changed of the scenario's file.
    pub(crate) fn overridden(&self, overrides: &[Override]) {
        if self.options.json && !overrides.is_empty() {
            self.json(json!({ "event": "overridden", "overrides": overrides }));
            return;
        }
        for changed in overrides {
            self.line(&format!("  changed by {}: {changed}", changed.option));
        }
    }

    /// Whether anybody sees how far a run is. While others are before it nobody does: what they
    /// will print may be a while to come.
    pub(crate) fn shows_progress(&self) -> bool {
        (self.options.json || self.has_bar) && self.has_turn()
    }

    /// Whether what it prints is printed at once.
    pub(crate) fn has_turn(&self) -> bool {
        self.turn.as_ref().is_none_or(Turn::has_come)
    }

    /// A sync point was reached.
    pub(crate) fn progress(&self, duration: SimDuration, progress: &Progress) {
        let (simulated, settled) = (progress.simulated.as_seconds_f64(), &progress.settled);
        let wall = progress.wall.as_secs_f64().max(1e-3);
        if self.options.json {
            self.json(json!({
                "event": "progress", "simulated_s": simulated, "wall_s": wall,
                "messages": progress.published, "stored": settled.stored,
                "missing": settled.missing, "unexpected": settled.unexpected,
                "refused": progress.refused, "verdicts": progress.verdicts,
            }));
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
        self.bar.set_position((simulated / duration.as_seconds_f64() * 1000.0) as u64);
        self.bar.set_message(format!(
            "{} of {}  {wall:.0} s, {:.0}x  {}, {} missing, {} refused; so far {}",
            SimDuration::from_seconds(simulated as i64),
            duration,
            simulated / wall,
            plural(progress.published, "message"),
            settled.missing,
            progress.refused,
            progress.verdicts,
        ));
    }

    /// Something was done to the bench.
    pub(crate) fn injected(&self, since_start: SimDuration, injection: &Injection) {
        let what = format!("{}  {}", injection.kind_name(), injection.detail());
        let text = format!("  {}  inject  {what}", clock(since_start));
        let at_s = since_start.as_seconds_f64();
        self.text_or_json(&text, json!({ "event": "injected", "at_s": at_s, "what": what }));
    }

    /// Checks can show nothing on the floor that was measured last.
    pub(crate) fn not_measurable(&self, checks: &[(String, Because)], has_waited: bool) {
        if self.options.json {
            let row = |(check, because): &(String, Because)| json!({ "check": check, "reason": because.reason.word(), "why": because.why });
            let rows: Vec<Value> = checks.iter().map(row).collect();
            self.json(json!({ "event": "not_measurable", "checks": rows }));
            return;
        }
        for (check, because) in checks {
            self.line(&format!("  check {check} cannot be judged in this run: {}", because.why));
        }
        if !checks.is_empty() && !has_waited {
            self.line("  a quieter machine may do: --wait-quiet 2min waits for one");
        }
    }

    /// The floor was measured, before or after the run.
    pub(crate) fn floor(&self, floor: &Floor, when: &str) {
        if self.options.json {
            self.json(json!({ "event": "floor", "when": when, "floor": floor }));
            return;
        }
        let milliseconds = |ns: i64| ns as f64 / 1e6;
        // An echo that was lost took for ever.
        let describe = |ns: i64| match ns {
            i64::MAX => "never".to_owned(),
            ns => format!("{:.2} ms", milliseconds(ns)),
        };
        let what = match &floor.echo {
            Some(echo) => format!(
                "p50 {}, p99 {} ({}, n {})",
                describe(echo.p50_ns),
                describe(echo.p99_ns),
                floor.echo_kind,
                echo.n
            ),
            None => format!("no echo: {}", floor.echo_kind),
        };
        let timer = milliseconds(floor.timer.p99_ns);
        self.line(&format!("  floor {when}: {what}; timer p99 {timer:.2} ms"));
    }

    /// What the bench itself costs: its record, and how exactly its links released.
    pub(crate) fn cost(&self, recorder_cpu_per_message_ns: i64, links: &[LinkFacts]) {
        if self.options.json {
            self.json(json!({
                "event": "cost", "recorder_cpu_per_message_ns": recorder_cpu_per_message_ns,
                "links": links,
            }));
            return;
        }
        let mut text =
            format!("  cost: record {} us of CPU per message", recorder_cpu_per_message_ns / 1000);
        for link in links {
            if let Some(error) = &link.release_error {
                let milliseconds = |ns: i64| ns as f64 / 1e6;
                // Writing to a String cannot fail.
                let _ = write!(
                    text,
                    "; link {} releases {:.2} ms late at p50, {:.2} ms at p99 (n {})",
                    link.name,
                    milliseconds(error.p50_ns),
                    milliseconds(error.p99_ns),
                    error.n
                );
            }
        }
        self.line(&text);
    }

    pub(crate) fn remark(&self, text: &str) {
        self.text_or_json(&format!("  {text}"), json!({ "event": "remark", "text": text }));
    }

    pub(crate) fn judged(&mut self, verdicts: &[Verdict]) {
        self.bar.finish_and_clear();
        (self.bar, self.has_bar) = (ProgressBar::hidden(), false);
        if self.options.json {
            for verdict in verdicts {
                let mut value = serde_json::to_value(verdict).unwrap_or(Value::Null);
                if let Some(object) = value.as_object_mut() {
                    object.insert("event".to_owned(), json!("verdict"));
                }
                self.json(value);
            }
            return;
        }
        for line in format_verdicts(verdicts) {
            self.line(&paint(&line, self.options.color));
        }
    }

    /// What became of the readings that were due.
    pub(crate) fn account(&self, account: Account) {
        if self.options.json {
            let mut value = serde_json::to_value(account).unwrap_or(Value::Null);
            if let Some(object) = value.as_object_mut() {
                object.insert("event".to_owned(), json!("account"));
                object.insert("clean".to_owned(), json!(account.is_clean()));
            }
            self.json(value);
        } else {
            self.line(&format!("Account  {account}"));
        }
    }

    /// A line, or a value for programs.
    pub(crate) fn text_or_json(&self, text: &str, value: Value) {
        if self.options.json { self.json(value) } else { self.line(text) }
    }
}

/// Minutes and seconds since the start, with hours where there are any.
fn clock(span: SimDuration) -> String {
    let milliseconds = span.0 / 1_000_000;
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let hours = if hours > 0 { format!("{hours}:") } else { String::new() };
    let rest = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    format!("{hours}{minutes:02}:{seconds:02}{rest}")
}

/// Colours the verdict's word; the word itself carries the meaning.
fn paint(line: &VerdictLine, color: bool) -> String {
    if !color {
        return line.to_string();
    }
    let style = match line.status {
        Status::Pass => anstyle::AnsiColor::Green.on_default(),
        Status::Fail | Status::Error => anstyle::AnsiColor::Red.on_default().bold(),
        Status::Inconclusive | Status::Skipped => anstyle::AnsiColor::Yellow.on_default(),
    };
    let painted = VerdictLine { label: format!("{style}{}{style:#}", line.label), ..line.clone() };
    painted.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_of_the_run_reads_like_a_clock() {
        for (seconds, text) in [(0.0, "00:00"), (605.25, "10:05.250"), (3661.0, "1:01:01")] {
            assert_eq!(clock(SimDuration::from_seconds_f64(seconds)), text);
        }
    }

    #[test]
    fn colour_is_put_around_the_word_and_only_if_wanted() {
        let line = VerdictLine {
            status: Status::Pass,
            label: "   PASS".to_owned(),
            text: "x".to_owned(),
            detail: None,
        };
        assert_eq!(paint(&line, false), "   PASS  x");
        let painted = paint(&line, true);
        assert!(painted.contains("\u{1b}[") && painted.ends_with("  x"));
    }
}
