//! What the checks of a scenario declare of latency: whose messages, which limits, which published
//! figures; read from the scenario in the run folder.

use serde::Serialize;

use super::scatter::LimitLine;
use crate::check::kind::{Check, as_type};
use crate::check::selection::Selection;
use crate::checks::latency::Latency;
use crate::checks::latency::claim::Claim;
use crate::checks::published::Published;
use crate::latency::{DEFAULT_STALL_NS, Span, transfer_time_classes};
use crate::render::figure::{Csv, Figure};
use crate::verdict::Verdict;
use lastmeter_record::{LatencyPath, Status};
use lastmeter_text::number;

/// The most letters of a limit's name beside its line.
const NAME_MAX: usize = 11;

#[derive(Default)]
pub(super) struct Declared {
    /// Whether observers received something; what arrives there is then judged there alone.
    is_observed: bool,
    checks: Vec<Declaration>,
    /// The longest stall they declare, or the default, in ns.
    pub(super) stall_ns: i64,
    pub(super) published: Vec<PublishedRow>,
}

struct Declaration {
    name: String,
    status: Status,
    /// Whether it is shown in a table of its own.
    is_published: bool,
    selection: Selection,
    /// What a `latency` check asks for.
    claim: Option<Claim>,
}

/// A check as it is named at a path.
#[derive(Serialize)]
pub(super) struct CheckChip {
    status: Status,
    name: String,
    /// What it is about, if that is not what the block shows.
    span: String,
}

#[derive(Serialize)]
pub(super) struct PublishedRow {
    status: Status,
    check: String,
    statistic: String,
    published: String,
    ours: String,
    difference: String,
    tolerance: String,
    source: String,
    #[serde(skip)]
    numbers: [f64; 3],
    #[serde(skip)]
    unit: String,
}

impl Declared {
    /// The checks that were judged, each with its verdict; the record has these paths.
    pub(super) fn of<'a>(
        judged: impl Iterator<Item = (&'a dyn Check, &'a Verdict)>,
        paths: &[String],
    ) -> Self {
        let is_observed = paths.iter().any(|path| LatencyPath::observer_of(path).is_some());
        let mut declared = Self { is_observed, stall_ns: 0, ..Self::default() };
        for (check, verdict) in judged {
            let stall_ns =
                check.demand().and_then(|demand| demand.claim).map_or(0, |it| it.stall_ns);
            declared.stall_ns = declared.stall_ns.max(stall_ns);
            let published = as_type::<Published>(check);
            declared.published.extend(published.map(|check| published_row(check, verdict)));
            let Some(selection) = check.messages() else { continue };
            declared.checks.push(Declaration {
                name: verdict.check.clone(),
                status: verdict.status,
                is_published: published.is_some(),
                selection: selection.clone(),
                claim: as_type::<Latency>(check).and_then(Latency::built_in_claim).cloned(),
            });
        }
        if declared.stall_ns == 0 {
            declared.stall_ns = DEFAULT_STALL_NS;
        }
        declared
    }

    /// The warm-up the checks agree on; `None` if they give none or several.
    pub(super) fn warm_up_ns(&self) -> Option<i64> {
        let first = self.checks.first()?.selection.warm_up_ns;
        first.filter(|_| self.checks.iter().all(|check| check.selection.warm_up_ns == first))
    }

    /// Whether some of the checks judge another time than the report shows.
    pub(super) fn has_other_warm_ups(&self) -> bool {
        let shown = self.warm_up_ns();
        self.checks.iter().any(|check| check.selection.warm_up_ns != shown)
    }

    fn of_path(&self, path: &str) -> impl Iterator<Item = &Declaration> {
        let is_elsewhere = self.is_observed && path == LatencyPath::READING;
        self.checks.iter().filter(move |check| {
            let of = &check.selection;
            of.takes(path) && !(is_elsewhere && of.path.is_none())
        })
    }

    pub(super) fn chips(&self, path: &str, span: Span) -> Vec<CheckChip> {
        let chip = |check: &Declaration| CheckChip {
            status: check.status,
            name: check.name.clone(),
            span: if check.selection.span == span {
                String::new()
            } else {
                check.selection.span.to_string()
            },
        };
        self.of_path(path).filter(|check| !check.is_published).map(chip).collect()
    }

    /// The classes and the limits the checks of a path declare, each limit once.
    pub(super) fn lines(&self, path: &str, span: Span) -> Vec<LimitLine> {
        let class = |class: &crate::latency::Requirement| {
            let (name, declared) = (class.name.clone(), false);
            Some(LimitLine { name, limit_ns: class.limit_ns?, declared })
        };
        let mut lines: Vec<LimitLine> = transfer_time_classes().iter().filter_map(class).collect();
        let same = self.of_path(path).filter(|check| check.selection.span == span);
        for claim in same.filter_map(|check| check.claim.as_ref()) {
            let Some(limit_ns) = claim.limit.ns() else { continue };
            if let Some(line) = lines.iter_mut().find(|line| line.limit_ns == limit_ns) {
                line.declared = true;
            } else {
                let name = if claim.name.is_empty() { "limit" } else { &claim.name };
                let name = name.chars().take(NAME_MAX).collect();
                lines.push(LimitLine { name, limit_ns, declared: true });
            }
        }
        lines
    }

    /// The shares the checks of a path ask for, each once.
    pub(super) fn coverages(&self, path: &str, span: Span) -> Vec<f64> {
        let same = self.of_path(path).filter(|check| check.selection.span == span);
        let mut coverages: Vec<f64> =
            same.filter_map(|check| Some(check.claim.as_ref()?.shares.coverage)).collect();
        coverages.sort_by(f64::total_cmp);
        coverages.dedup();
        coverages
    }

    pub(super) fn published_table(&self) -> Option<Figure> {
        if self.published.is_empty() {
            return None;
        }
        let mut csv = Csv::new("check,statistic,status,source,unit,published,difference,tolerance");
        for row in &self.published {
            let texts = [&row.check, &row.statistic, row.status.word(), &row.source, &row.unit];
            csv.line(&texts, &row.numbers);
        }
        Some(Figure::table("latency-published", csv.finish()))
    }
}

fn published_row(check: &Published, verdict: &Verdict) -> PublishedRow {
    let figure = &check.figure;
    let (statistic, published) = (figure.name(), figure.describe(figure.value));
    let is_share = verdict.unit == "%";
    let apart = |value: f64| match (is_share, number(value)) {
        (false, _) => figure.describe(value),
        (true, one) if one == "1" => "1 point".to_owned(),
        (true, many) => format!("{many} points"),
    };
    PublishedRow {
        status: verdict.status,
        check: verdict.check.clone(),
        ours: verdict.figure.map_or_else(|| "-".to_owned(), |ours| figure.describe(ours)),
        difference: verdict.measured.map_or_else(|| "-".to_owned(), apart),
        tolerance: apart(figure.tolerance),
        source: check.source.clone(),
        numbers: [figure.value, verdict.measured.unwrap_or(f64::NAN), figure.tolerance],
        unit: verdict.unit.clone(),
        statistic,
        published,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::check::kind::{CheckContext, ScenarioChecks};
    use lastmeter_record::Point;

    const CHECKS: &str = r#"
[[check]]
name = "in-class"
kind = "latency"
path = "intended..received"
observer = "head-end"
class = "TT3"
coverage = "97 %"
warm_up = "5 s"
[[check]]
name = "in-time"
kind = "latency"
path = "intended..received"
limit = "210 ms"
warm_up = "5 s"
[[check]]
name = "stored"
kind = "latency"
path = "intended..queryable"
profile = "outage-report"
warm_up = "5 s"
[[check]]
name = "as-published"
kind = "published"
path = "intended..received"
statistic = "median"
value = "140 ms"
tolerance = "5 ms"
source = "a <paper>"
warm_up = "5 s"
"#;

    fn declared(toml: &str) -> Declared {
        let checks = ScenarioChecks::read("s", toml, &BTreeMap::new()).unwrap();
        let verdicts: Vec<Verdict> = ["in-class", "in-time", "stored", "as-published"]
            .map(|name| {
                let context = CheckContext { name: name.to_owned(), ..CheckContext::default() };
                Verdict {
                    measured: Some(0.0012),
                    figure: Some(0.1412),
                    ..context.verdict(crate::verdict::Reason::WithinLimit, "s", "near")
                }
            })
            .to_vec();
        Declared::of(checks.judged(&verdicts), &["reading>head-end".to_owned()])
    }

    const RECEIVED: Span = Span { from: Point::Intended, to: Point::Received };

    #[test]
    fn a_path_has_the_lines_of_its_own_checks() {
        let declared = declared(CHECKS);
        let lines = declared.lines("reading>head-end", RECEIVED);
        let stands_out: Vec<(&str, i64)> = lines
            .iter()
            .filter(|line| line.declared)
            .map(|line| (line.name.as_str(), line.limit_ns / 1_000_000))
            .collect();
        assert_eq!(stands_out, [("TT3", 100), ("limit", 210)]);
        assert_eq!(declared.coverages("reading>head-end", RECEIVED), [0.97, 0.999]);
        // Another observer has the check that names none, and a store has its own.
        assert_eq!(declared.coverages("reading>other", RECEIVED), [0.999]);
        let stored = Span { to: Point::Queryable, ..RECEIVED };
        assert_eq!(declared.coverages("reading", stored), [0.98]);
        assert_eq!(declared.warm_up_ns(), Some(5_000_000_000));
        assert!(!declared.has_other_warm_ups());
        let names = |path, span| -> Vec<String> {
            declared.chips(path, span).into_iter().map(|chip| chip.name + &chip.span).collect()
        };
        assert_eq!(names("reading", stored), ["stored"]);
        assert_eq!(names("reading>head-end", RECEIVED), ["in-class", "in-time"]);
        assert_eq!(names("command", RECEIVED), Vec::<String>::new());
    }

    #[test]
    fn the_longest_stall_that_is_declared_is_that_of_the_report() {
        // Of three checks of a share the second declares one, the others have the default of 1 s.
        assert_eq!(declared(CHECKS).stall_ns, 1_000_000_000);
        let with = |stall: &str| {
            let text = format!("limit = \"210 ms\"\nstall = \"{stall}\"");
            declared(&CHECKS.replacen("limit = \"210 ms\"", &text, 1)).stall_ns
        };
        assert_eq!((with("200 ms"), with("3 s")), (1_000_000_000, 3_000_000_000));
        let short = CHECKS.replace("warm_up = \"5 s\"", "warm_up = \"5 s\"\nstall = \"200 ms\"");
        let published = short.rfind("stall = ").unwrap();
        assert_eq!(declared(&short[..published]).stall_ns, 200_000_000);
        assert_eq!(declared("").stall_ns, 1_000_000_000);
    }

    #[test]
    fn checks_that_judge_other_times_are_noticed() {
        let declared = declared(&CHECKS.replacen("warm_up = \"5 s\"", "warm_up = \"6 s\"", 1));
        assert_eq!(declared.warm_up_ns(), None);
        assert!(declared.has_other_warm_ups());
    }

    #[test]
    fn what_was_published_stands_beside_ours() {
        let declared = declared(CHECKS);
        let row = &declared.published[0];
        let texts = [&row.statistic, &row.published, &row.ours, &row.difference, &row.tolerance];
        assert_eq!(texts, ["median", "140 ms", "141.2 ms", "1.2 ms", "5 ms"]);
        assert_eq!(
            declared.published_table().unwrap().csv.unwrap(),
            "check,statistic,status,source,unit,published,difference,tolerance\n\
             as-published,median,pass,a <paper>,s,0.14,0.0012,0.005\n"
        );
    }
}
