//! Which transfer-time classes can be judged above a floor: a pure table. Limits and rule are those
//! of the verdicts.

use lastmeter_reports::latency::{FloorBound, transfer_time_classes};
use serde::Serialize;

use super::finding::{Status, ms};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ClassFinding {
    pub(super) class: String,
    /// Its limit, ns; `None`: it is about delivery only.
    pub(super) limit_ns: Option<i64>,
    /// `ok` over every transport measured, `limited` over some, `no` over none.
    pub(super) status: Status,
    /// Transports over which it can be judged.
    pub(super) transports: Vec<String>,
    pub(super) found: String,
    pub(super) advice: Option<String>,
}

/// The table for the floors, by transport; the strictest class first.
pub(super) fn findings(floors: &[(&str, FloorBound)]) -> Vec<ClassFinding> {
    let mut classes: Vec<_> = transfer_time_classes().iter().collect();
    // Without a limit is the least strict.
    classes.sort_by_key(|class| class.limit_ns.unwrap_or(i64::MAX));
    classes.iter().map(|class| finding(&class.name, class.limit_ns, floors)).collect()
}

fn finding(class: &str, limit_ns: Option<i64>, floors: &[(&str, FloorBound)]) -> ClassFinding {
    let is_measurable =
        |floor: &FloorBound| limit_ns.is_none_or(|limit| limit >= floor.least_limit_ns());
    let named = |which: bool| -> Vec<String> {
        let transports = floors.iter().filter(|(_, floor)| is_measurable(floor) == which);
        transports.map(|(transport, _)| (*transport).to_owned()).collect()
    };
    let (transports, without) = (named(true), named(false));
    let status = match (transports.is_empty(), without.is_empty()) {
        (false, true) => Status::Ok,
        (false, false) => Status::Limited,
        (true, _) => Status::No,
    };
    let found = match (limit_ns, floors.is_empty()) {
        (_, true) => "no floor was measured".to_owned(),
        (None, false) => "delivery only, no limit to hold a floor against".to_owned(),
        (Some(limit), false) => {
            let floor = |(transport, floor): &(&str, FloorBound)| {
                format!("{transport} {}", ms(floor.least_limit_ns()))
            };
            let floors: Vec<String> = floors.iter().map(floor).collect();
            format!("limit {}, 10 x floor p99: {}", ms(limit), floors.join(", "))
        }
    };
    let advice = match status {
        Status::Ok => None,
        Status::Limited => Some(format!("not measurable over {}", without.join(", "))),
        Status::No if floors.is_empty() => Some("see why the broker could not be measured".into()),
        Status::No => Some(
            "use a quieter machine, real-time rights, or more cores; until then the verdict is \
             inconclusive"
                .to_owned(),
        ),
    };
    ClassFinding { class: class.to_owned(), limit_ns, status, transports, found, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(p99_ns: i64) -> FloorBound {
        FloorBound { p50_ns: 1, p99_ns }
    }

    fn statuses(floors: &[(&str, FloorBound)]) -> String {
        let letter = |finding: ClassFinding| match finding.status {
            Status::Ok => 'o',
            Status::Limited => 'l',
            Status::No => 'n',
        };
        findings(floors).into_iter().map(letter).collect()
    }

    #[test]
    fn the_strictest_class_comes_first() {
        let classes: Vec<String> = findings(&[]).into_iter().map(|finding| finding.class).collect();
        assert_eq!(classes, ["TT6", "TT5", "TT4", "TT3", "TT2", "TT1", "TT0"]);
    }

    #[test]
    fn a_class_needs_ten_floors() {
        // TT6, TT5, TT4, TT3, TT2, TT1, TT0; limits 3, 10, 20, 100, 500, 1000 ms (IEC 61850-5).
        for (p99_us, expected) in [
            (1, "ooooooo"),
            (300, "ooooooo"),
            (301, "noooooo"),
            (1_000, "noooooo"),
            (1_001, "nnooooo"),
            (5_000, "nnnoooo"),
            (60_000, "nnnnnoo"),
            (200_000, "nnnnnno"),
        ] {
            assert_eq!(statuses(&[("plain", floor(p99_us * 1_000))]), expected, "{p99_us} us");
        }
    }

    #[test]
    fn a_class_that_only_some_transports_can_carry_is_limited() {
        let floors = [("plain", floor(250_000)), ("tls", floor(2_500_000))];
        assert_eq!(statuses(&floors), "llloooo");
        let findings = findings(&floors);
        assert_eq!(findings[0].transports, ["plain"]);
        assert_eq!(findings[0].advice.as_deref(), Some("not measurable over tls"));
        assert_eq!(findings[0].found, "limit 3.00 ms, 10 x floor p99: plain 2.50 ms, tls 25.0 ms");
        assert_eq!(findings[3].advice, None);
    }

    #[test]
    fn lost_echoes_and_no_echoes_leave_nothing_to_judge_by() {
        // Whether something is delivered at all can be judged however late the bench is.
        assert_eq!(statuses(&[("plain", floor(i64::MAX))]), "nnnnnno");
        assert_eq!(statuses(&[]), "nnnnnnn");
        assert!(findings(&[]).iter().all(|finding| finding.advice.is_some()));
    }
}
