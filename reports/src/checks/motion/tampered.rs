//! The tampering that there was, and what of it was reported.

use lastmeter_record::{Event, EventKind, field};
use lastmeter_text::number;
use lastmeter_units::SimTime;
use serde::Serialize;

use super::section::short_time;
use super::{ReceivedAlert, TAMPER, is_certain};

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct TamperRow {
    time: String,
    device: String,
    what: String,
    reported: String,
}

#[derive(Default)]
pub(super) struct TamperRecord {
    /// When, device, what, and whether it had to be seen.
    truths: Vec<(SimTime, String, String, bool)>,
    reported: Vec<(String, ReceivedAlert)>,
}

impl TamperRecord {
    pub(super) fn take(&mut self, line: u64, event: &Event) {
        let text = |name: &str| event.text(name).unwrap_or_default().to_owned();
        match event.kind {
            EventKind::Tamper => {
                let (device, what) = (text(field::DEVICE), text(field::WHAT));
                self.truths.push((event.time, device, what, is_certain(event)));
            }
            EventKind::Alert => {
                let kind = text(field::TYPE);
                let Some(what) = kind.strip_prefix(TAMPER) else { return };
                let alert = ReceivedAlert::of(line, event, &kind);
                self.reported.extend(alert.map(|alert| (what.to_owned(), alert)));
            }
            _ => {}
        }
    }

    /// In order of time, at most so many: what there was with its first report before the next of
    /// its kind, then reports of nothing.
    pub(super) fn rows(mut self, most: usize) -> Vec<TamperRow> {
        self.truths.sort_by_key(|it| it.0);
        let words = |what: &str| what.replace('_', " ");
        let mut left: Vec<&(String, ReceivedAlert)> = self.reported.iter().collect();
        let mut rows = Vec::new();
        for (at, (time, device, what, is_certain)) in self.truths.iter().enumerate() {
            let later = self.truths[at + 1..].iter();
            let next = later.filter(|it| it.1 == *device && it.2 == *what).map(|it| it.0).next();
            let fits = |(kind, alert): &&(String, ReceivedAlert)| {
                kind == what
                    && alert.device == *device
                    && alert.time >= *time
                    && next.is_none_or(|next| alert.time < next)
            };
            let reported = match left.iter().position(fits) {
                Some(place) => {
                    let after_s = (left.remove(place).1.time - *time).as_seconds_f64();
                    format!("after {} s", number(after_s))
                }
                None if *is_certain => "no".to_owned(),
                None => "no, and need not be".to_owned(),
            };
            rows.push((*time, device, what, reported));
        }
        let nothing = left.into_iter().map(|(what, alert)| {
            (alert.time, &alert.device, what, "reported, but there was none".to_owned())
        });
        rows.extend(nothing);
        rows.sort_by_key(|it| it.0);
        let row = |(time, device, what, reported): (SimTime, &String, &String, String)| TamperRow {
            time: short_time(time),
            device: device.clone(),
            what: words(what),
            reported,
        };
        rows.into_iter().take(most).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::at;
    use super::*;

    #[test]
    fn each_has_its_own_report() {
        let truth = |seconds: i64, is_certain: bool| {
            Event::new(at(seconds), "bench", EventKind::Tamper)
                .with(field::DEVICE, "m")
                .with(field::WHAT, "cover_opened")
                .with(field::IS_CERTAIN, is_certain)
        };
        let alert = |seconds: i64, what: &str| {
            Event::new(at(seconds), "platform", EventKind::Alert)
                .with(field::DEVICE, "m")
                .with(field::TYPE, format!("tamper.{what}"))
        };
        let mut found = TamperRecord::default();
        let events = [
            truth(10, true),
            truth(20, true),
            alert(21, "cover_opened"),
            alert(25, "field_began"),
            truth(30, false),
        ];
        for (line, event) in (1..).zip(&events) {
            found.take(line, event);
        }
        let reported: Vec<String> = found.rows(10).into_iter().map(|it| it.reported).collect();
        let nothing = "reported, but there was none";
        assert_eq!(reported, ["no", "after 1 s", nothing, "no, and need not be"]);
    }
}
