//! `refused`: the platform refused exactly what it should have refused.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostics, Entry, Field, Kind, Values};

use super::reading_count::ReadingCount;
use crate::check::kind::{Check, CheckContext, CheckKind, RecordTable, finish};
use crate::verdict::{At, Reason, Verdict};
use lastmeter_record::{Event, EventKind, Observation, RunFacts, field};
use lastmeter_text::{append, plural};

pub(super) const KIND: CheckKind = CheckKind {
    entry: Entry {
        name: "refused",
        summary: "exactly these messages were refused by the platform",
        description: "Compares the refusals the platform reported, by reason and device, with the \
            list `expect`; an empty list means that nothing may be refused. `measured` counts \
            refusals too many and too few, `n` the readings and refusals that were there to \
            judge by; with none the check is inconclusive.",
        fields: &[Field::default(
            "expect",
            Kind::List(&Kind::Table(EXPECT)),
            "[]",
            "the refusals that have to happen",
        )],
    },
    build: |values, context, diagnostics| {
        let expect = read(values, diagnostics)?;
        Some(Box::new(Refused {
            context,
            expect,
            refusals: BTreeMap::new(),
            readings: ReadingCount::new(),
        }))
    },
    tables: &[RecordTable::Observations, RecordTable::Events],
    ..CheckKind::PLAIN
};

const EXPECT: &[Field] = &[
    Field::required("reason", Kind::Text, "the platform's word for it, such as unknown_identifier"),
    Field::optional("device", Kind::Text, "whose messages; left out, anybody's"),
    Field::default("count", Kind::Integer { min: 1, max: 1_000_000_000 }, "1", "how many"),
];

/// Of refusals for more combinations of reason and device the device is forgotten, so that forged
/// device ids cannot fill the memory.
const REFUSAL_KEYS_MAX: usize = 10_000;

#[derive(Clone, Debug)]
struct Expected {
    reason: String,
    device: Option<String>,
    count: u64,
}

fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<Vec<Expected>> {
    let mut expect: Vec<Expected> = Vec::new();
    for table in values.tables("expect") {
        let expected = Expected {
            reason: table.text("reason").to_owned(),
            device: table.text_opt("device").map(str::to_owned),
            count: table.integer("count") as u64,
        };
        let same = |other: &Expected| {
            (&other.reason, &other.device) == (&expected.reason, &expected.device)
        };
        if expect.iter().any(same) {
            diagnostics.report(
                Code::DOES_NOT_FIT,
                table.span,
                format!("`{}` is expected twice", expected.reason),
                "add its count to the other one",
            );
            return None;
        }
        expect.push(expected);
    }
    // Those for one device take their share before those for any.
    expect.sort_by_key(|expected| expected.device.is_none());
    Some(expect)
}

struct Refused {
    context: CheckContext,
    expect: Vec<Expected>,
    refusals: BTreeMap<(String, Option<String>), RefusalTally>,
    readings: ReadingCount,
}

struct RefusalTally {
    count: u64,
    first: At,
}

impl Check for Refused {
    fn observation(&mut self, observation: &Observation<'_>) {
        self.readings.observation(observation);
    }

    fn event(&mut self, line: u64, event: &Event) {
        if event.kind != EventKind::Refused {
            return;
        }
        let reason = event.text(field::REASON).unwrap_or("unknown").to_owned();
        let device = event.text(field::DEVICE).map(str::to_owned);
        let known = |device: Option<String>| (reason.clone(), device);
        let full = self.refusals.len() >= REFUSAL_KEYS_MAX
            && !self.refusals.contains_key(&known(device.clone()));
        let key = known(if full { None } else { device.clone() });
        let first = At { device, time: Some(event.time), event: Some(line), ..At::default() };
        self.refusals.entry(key).or_insert(RefusalTally { count: 0, first }).count += 1;
    }

    fn verdict(&self, facts: &RunFacts) -> Verdict {
        let total: u64 = self.refusals.values().map(|tally| tally.count).sum();
        let (missing, surplus, at) = self.compare();
        let count = |list: &[(String, u64)]| list.iter().map(|(_, count)| count).sum::<u64>();
        let expected: u64 = self.expect.iter().map(|expected| expected.count).sum();
        let mut why = format!("{} refused, {expected} expected", plural(total, "message"));
        for (what, list) in [("not expected", &surplus), ("did not happen", &missing)] {
            if !list.is_empty() {
                let named: Vec<String> =
                    list.iter().take(5).map(|(which, count)| format!("{count} {which}")).collect();
                append(&mut why, format_args!("; {what}: {}", named.join(", ")));
            }
        }
        let n = self.readings.count() + total;
        let reason = if !surplus.is_empty() {
            Reason::UnexpectedRefusal
        } else if facts.is_finished() && !missing.is_empty() {
            Reason::RefusalMissing
        } else if n == 0 {
            why = String::from("nothing reached the platform, so nothing could be refused");
            Reason::NothingToJudge
        } else if !missing.is_empty() {
            Reason::Incomplete
        } else {
            Reason::WithinLimit
        };
        let verdict = Verdict {
            measured: Some((count(&missing) + count(&surplus)) as f64),
            limit: Some(0.0),
            n,
            at,
            ..self.context.verdict(reason, "1", why)
        };
        finish(verdict, facts)
    }
}

/// Refusals listed as `REASON of DEVICE`, with their number.
type RefusalCounts = Vec<(String, u64)>;

impl Refused {
    /// What is missing, what is too much, and the first of the latter.
    fn compare(&self) -> (RefusalCounts, RefusalCounts, Option<At>) {
        let mut left: BTreeMap<_, u64> =
            self.refusals.iter().map(|(key, tally)| (key, tally.count)).collect();
        let mut missing = Vec::new();
        for expected in &self.expect {
            let mut wanted = expected.count;
            for ((reason, device), count) in &mut left {
                let fits = *reason == expected.reason
                    && expected.device.as_ref().is_none_or(|name| device.as_ref() == Some(name));
                if fits {
                    let taken = wanted.min(*count);
                    wanted -= taken;
                    *count -= taken;
                }
            }
            if wanted > 0 {
                missing.push((report(&expected.reason, expected.device.as_deref()), wanted));
            }
        }
        left.retain(|_, count| *count > 0);
        let at =
            left.keys().map(|key| &self.refusals[*key].first).min_by_key(|at| at.event).cloned();
        let surplus = left
            .into_iter()
            .map(|((reason, device), count)| (report(reason, device.as_deref()), count))
            .collect();
        (missing, surplus, at)
    }
}

fn report(reason: &str, device: Option<&str>) -> String {
    device.map_or_else(|| reason.to_owned(), |device| format!("{reason} of {device}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, check, facts, row, try_check};
    use super::*;
    use lastmeter_record::RunState;
    use lastmeter_record::Status;

    fn judge(expect: &str, refusals: &[(&str, Option<&str>)], state: RunState) -> Verdict {
        let mut check = check("refused", &format!("expect = [{expect}]"));
        check.observation(&row("m", 1, "electricity.frequency", Some(50.0), Some(50.0)));
        for (line, (reason, device)) in (1..).zip(refusals) {
            check.event(line, &Event::refused(at(line as i64), reason, *device, "t", "d"));
        }
        check.verdict(&facts(state))
    }

    const ONE: &str = "{ reason = \"unknown_identifier\", device = \"m\" }";

    #[test]
    fn nothing_refused_and_nothing_expected_is_a_pass() {
        let verdict = judge("", &[], RunState::Finished);
        assert_eq!((verdict.status, verdict.n, verdict.measured), (Status::Pass, 1, Some(0.0)));
    }

    #[test]
    fn exactly_what_was_expected_is_a_pass() {
        let verdict = judge(ONE, &[("unknown_identifier", Some("m"))], RunState::Finished);
        assert_eq!((verdict.status, verdict.n), (Status::Pass, 2));
    }

    #[test]
    fn a_refusal_nobody_expected_fails_and_is_named() {
        for refusal in
            [("not_json", None), ("unknown_identifier", Some("x")), ("not_json", Some("m"))]
        {
            let refusals = [("unknown_identifier", Some("m")), refusal];
            let verdict = judge(ONE, &refusals, RunState::Finished);
            assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(1.0)));
            assert_eq!(verdict.limit, Some(0.0));
            let place = verdict.at.unwrap();
            assert_eq!((place.device.as_deref(), place.event), (refusal.1, Some(2)));
            assert!(place.time.is_some());
            assert!(verdict.why.to_string().contains(refusal.0), "{}", verdict.why);
        }
    }

    #[test]
    fn an_expected_refusal_that_did_not_happen_fails() {
        let verdict = judge(ONE, &[], RunState::Finished);
        assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(1.0)));
        assert!(
            verdict.why.to_string().contains("did not happen: 1 unknown_identifier of m"),
            "{}",
            verdict.why
        );
        assert_eq!(judge(ONE, &[], RunState::Interrupted).status, Status::Inconclusive);
    }

    #[test]
    fn one_too_many_or_too_few_of_several_fails() {
        let expect = "{ reason = \"not_json\", count = 3 }, { reason = \"not_json\", device = \"a\", count = 2 }";
        for (from_a, from_b, passes) in
            [(2, 3, true), (5, 0, true), (3, 2, true), (1, 4, false), (2, 2, false), (2, 4, false)]
        {
            let mut refusals = vec![("not_json", Some("a")); from_a];
            refusals.extend(vec![("not_json", Some("b")); from_b]);
            let status = judge(expect, &refusals, RunState::Finished).status;
            assert_eq!(status == Status::Pass, passes, "{from_a} of a, {from_b} of b");
        }
    }

    #[test]
    fn without_any_message_the_verdict_is_inconclusive() {
        let verdict = check("refused", "").verdict(&facts(RunState::Finished));
        assert_eq!((verdict.status, verdict.n), (Status::Inconclusive, 0));
    }

    #[test]
    fn the_same_expectation_twice_is_refused() {
        let messages = try_check("refused", &format!("expect = [{ONE}, {ONE}]")).err().unwrap();
        assert_eq!(messages, ["`unknown_identifier` is expected twice"]);
    }

    #[test]
    fn forged_device_ids_do_not_fill_the_memory() {
        let mut check = check("refused", "expect = [{ reason = \"not_json\", count = 20_000 }]");
        for line in 1..=20_000 {
            let device = format!("forged-{line}");
            check.event(line, &Event::refused(at(1), "not_json", Some(&device), "t", "d"));
        }
        assert_eq!(check.verdict(&facts(RunState::Finished)).status, Status::Pass);
    }
}
