//! `external`: a program of somebody else's judges the run folder.
//!
//! It is asked once, when the record is complete: one line of JSON with the folder, one line with
//! the verdict (`docs/external.md`). The program's text is kept with the run, so that a folder is
//! judged again wherever its interpreter is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lastmeter_child::{Child, Program, one_line};
use lastmeter_params::{Dimension, Entry, Field, Kind, Values};
use lastmeter_record::{RecordError, RunFacts};
use serde::Deserialize;
use serde_json::json;

use crate::check::kind::{Check, CheckContext, CheckKind, finish};
use crate::verdict::{Reason, Verdict};

/// The version of the lines that are exchanged.
const VERSION: u32 = 1;
/// The longest reason that is kept, in bytes.
const WHY_MAX: usize = 2000;

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "external",
        summary: "a program of your own judges the run folder",
        description: "Asks a program, in Python or any other language, for the verdict: it is given \
            the run folder and answers `pass`, `fail` or `inconclusive` with a reason for people, and \
            with values if it has some. A program that cannot be started, ends, is late, writes what \
            nobody asked for or makes no sense makes the check an error that names it. Its text is \
            kept in run.json, for `lastmeter report` elsewhere. `lastmeter new check` writes one to \
            begin with; docs/external.md has the lines.",
        fields: &[
            Field::required("program", Kind::Text, "the program: a file beside the scenario"),
            Field::default(
                "with",
                Kind::List(&Kind::Text),
                "[\"python3\"]",
                "what runs the program, with its options",
            ),
            Field::default(
                "within",
                Kind::Quantity { dimension: Dimension::Time, min: 0.01, max: 3600.0 },
                "\"60 s\"",
                "how long it may take in wall time",
            ),
            Field::default("settings", Kind::Texts, "{}", "what it is given of its own, as texts"),
            Field::default(
                "takes_thinned",
                Kind::Boolean,
                "false",
                "it comes to the same where a rule of `[record]` has left rows out",
            ),
        ],
    },
    build: |values, context, _| Some(Box::new(External::read(values, context))),
    takes_thinned: |values| values.boolean("takes_thinned"),
    reads_folder: true,
    ..CheckKind::PLAIN
};

/// What a program answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    lastmeter: u32,
    verdict: Word,
    why: String,
    measured: Option<f64>,
    limit: Option<f64>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    n: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Pass,
    Fail,
    Inconclusive,
}

struct External {
    context: CheckContext,
    name: String,
    with: Vec<String>,
    within: Duration,
    settings: serde_json::Value,
    /// What came of asking; `None`: nobody has asked yet.
    answer: Option<Result<Answer, String>>,
}

impl External {
    fn read(values: &Values, context: CheckContext) -> Self {
        Self {
            context,
            name: values.text("program").to_owned(),
            with: values.text_list("with").into_iter().map(str::to_owned).collect(),
            within: Duration::from_secs_f64(values.si("within")),
            settings: json!(values.texts("settings")),
            answer: None,
        }
    }

    fn ask(&self, folder: &Path) -> Result<Answer, String> {
        let text = self.context.files.get(&self.name);
        let text = text.ok_or_else(|| format!("run.json has no text of `{}`", self.name))?;
        let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        let question = json!({
            "lastmeter": VERSION, "ask": "verdict", "check": self.context.name,
            "scenario": self.context.scenario, "folder": folder, "settings": self.settings,
        });
        let program = Program {
            with: self.with.clone(),
            name: self.name.clone(),
            text: text.clone(),
            folder,
            within: self.within,
        };
        let mut child = Child::start(&program).map_err(|failure| failure.to_string())?;
        let line = child.ask(&question.to_string()).map_err(|failure| failure.to_string())?;
        child.finish().map_err(|failure| failure.to_string())?;
        let mut answer: Answer = serde_json::from_str(&line).map_err(|error| {
            let line = one_line(&line, 200);
            format!(
                "`{}` answered `{line}`, expected one JSON object of its verdict: {error}",
                self.name
            )
        })?;
        answer.why = one_line(&answer.why, WHY_MAX);
        answer.unit = answer.unit.map(|unit| one_line(&unit, 40));
        if let (Word::Pass, Some(measured), Some(limit)) =
            (answer.verdict, answer.measured, answer.limit)
            && measured.abs() > limit.abs()
        {
            return Err(format!(
                "`{}` answered `pass`, and that it measured {measured} with a limit of {limit}",
                self.name
            ));
        }
        match answer.lastmeter {
            VERSION => Ok(answer),
            other => Err(format!("`{}` speaks version {other}, expected {VERSION}", self.name)),
        }
    }
}

impl Check for External {
    fn judge_folder(&mut self, folder: &Path) -> Result<(), RecordError> {
        self.answer = Some(self.ask(folder));
        Ok(())
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let made = |reason, unit: &str, why: &str| self.context.verdict(reason, unit, why);
        let verdict = match &self.answer {
            None => {
                made(Reason::Incomplete, "1", "its program is asked once the record is complete")
            }
            Some(Err(why)) => return made(Reason::NotEvaluated, "1", why),
            Some(Ok(answer)) => {
                let reason = match answer.verdict {
                    // A pass has something that it judged.
                    Word::Pass if answer.n == Some(0) => Reason::NothingToJudge,
                    Word::Pass => Reason::WithinLimit,
                    Word::Fail => Reason::OutsideLimit,
                    Word::Inconclusive => Reason::Incomplete,
                };
                let unit = answer.unit.as_deref().unwrap_or("1");
                let (measured, limit) = (answer.measured, answer.limit);
                let n = answer.n.unwrap_or_default();
                Verdict { measured, limit, n, ..made(reason, unit, &answer.why) }
            }
        };
        finish(verdict, facts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lastmeter_record::{RunState, Status};

    use super::*;
    use crate::checks::tests::testing::facts;

    fn judged(script: &str, within: Duration) -> Verdict {
        let files = BTreeMap::from([("check.sh".to_owned(), script.to_owned())]);
        let context = CheckContext { name: "own".to_owned(), files, ..CheckContext::default() };
        let mut check = External {
            context,
            name: "check.sh".to_owned(),
            with: vec!["sh".to_owned()],
            within,
            settings: json!({}),
            answer: None,
        };
        let folder = tempfile::tempdir().unwrap();
        check.judge_folder(folder.path()).unwrap();
        check.verdict(&facts(RunState::Finished))
    }

    #[test]
    fn a_program_judges_and_what_it_does_wrong_is_an_error_that_names_it() {
        let long = Duration::from_secs(20);
        let answer = |text: &str| format!("read line; echo '{text}'");
        let pass = judged(
            &answer(r#"{"lastmeter": 1, "verdict": "pass", "why": "ok", "measured": 0.5, "n": 3}"#),
            long,
        );
        assert_eq!((pass.status, pass.measured, pass.n), (Status::Pass, Some(0.5), 3));
        for (word, status) in [("fail", Status::Fail), ("inconclusive", Status::Inconclusive)] {
            let text = format!(r#"{{"lastmeter": 1, "verdict": "{word}", "why": "because"}}"#);
            let verdict = judged(&answer(&text), long);
            assert_eq!((verdict.status, verdict.why.to_string()), (status, "because".to_owned()));
        }
        let good_text =
            |more: &str| format!(r#"{{"lastmeter": 1, "verdict": "pass", "why": "ok"{more}}}"#);
        let good = answer(&good_text(""));
        let of_nothing = judged(&answer(&good_text(", \"n\": 0")), long);
        assert_eq!(of_nothing.status, Status::Inconclusive);
        for (script, expected) in [
            (
                answer(r#"{"lastmeter": 2, "verdict": "pass", "why": ""}"#),
                "`check.sh` speaks version 2",
            ),
            (answer("yes"), "`check.sh` answered `yes`, expected one JSON object"),
            (answer(r#"{"lastmeter": 1, "verdict": "good", "why": ""}"#), "unknown variant `good`"),
            ("exit 3".to_owned(), "`sh check.sh` has ended (exit status: 3)"),
            (format!("{good}; echo fail"), "wrote a line that nobody had asked for: fail"),
            (format!("{good}; exit 7"), "then ended by an error (exit status: 7)"),
            (
                answer(&good_text(", \"measured\": 500, \"limit\": 1")),
                "measured 500 with a limit of 1",
            ),
            ("sleep 60".to_owned(), "`sh check.sh` has not answered within 300ms"),
        ] {
            let within =
                if script.starts_with("sleep") { Duration::from_millis(300) } else { long };
            let verdict = judged(&script, within);
            let why = verdict.why.to_string();
            assert!(verdict.status == Status::Error && why.contains(expected), "{script}: {why}");
        }
    }
}
