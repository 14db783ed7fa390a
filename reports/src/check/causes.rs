//! Why readings did not come, as their devices, the gateways and the platform reported it.
//!
//! A cause decides nothing: it stands behind the verdict, for people.

use std::collections::BTreeMap;

use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::Prose;
use lastmeter_units::{SimDuration, SimTime};

/// What a device or a gateway reports of itself where a reading may be missing for it.
pub const CAUSES: &[&str] = &[
    "answer_refused",
    "board_discarded",
    "board_lost",
    "board_silent",
    "device_not_found",
    "device_unreachable",
    "frames_missing",
    "input_refused",
    "line_down",
    "message_dropped",
    "poll_late",
    "reading_left_out",
    "reading_without_window",
    "value_refused",
];

/// So many causes are kept of each that reports some, and of so many of these.
const KEPT_MAX: usize = 100;
const REPORTERS_MAX: usize = 1_000;

/// What happened longer before a reading was due, or to nobody in particular longer after it, is
/// not why it is missing.
const CAUSE_DISTANCE: SimDuration = SimDuration::from_seconds(60);

/// What may be why readings are missing, by the device it is about or else by who reports it.
#[derive(Default)]
pub(crate) struct Causes {
    reported: BTreeMap<(bool, String), Vec<(SimTime, Prose)>>,
}

impl Causes {
    pub(crate) fn event(&mut self, event: &Event) {
        let is_cause = match event.kind {
            EventKind::Refused => true,
            EventKind::Device => event.text(field::WHAT).is_some_and(|it| CAUSES.contains(&it)),
            _ => false,
        };
        let Some(detail) = event.prose(field::DETAIL).filter(|_| is_cause) else { return };
        let about = event.text(field::DEVICE);
        let key = (about.is_some(), about.unwrap_or(&event.source).to_owned());
        if self.reported.len() >= REPORTERS_MAX && !self.reported.contains_key(&key) {
            return;
        }
        let kept = self.reported.entry(key).or_default();
        if kept.len() < KEPT_MAX {
            kept.push((event.time, detail.clone()));
        }
    }

    /// `; DEVICE: CAUSE`, of the cause next to where a reading of a device was due; else nothing.
    pub(crate) fn of(&self, device: &str, due: SimTime, facts: &RunFacts) -> String {
        let is_device = |name: &str| facts.devices.iter().any(|one| one.name == name);
        let reported = self.reported.iter().filter_map(|((is_about, name), causes)| {
            let is_own = name == device;
            // Who is no device is a gateway, a line or the platform.
            (is_own || !*is_about && !is_device(name)).then_some((is_own, causes))
        });
        let near = reported.flat_map(|(is_own, causes)| {
            let is_near = move |at: SimTime| {
                at >= due - CAUSE_DISTANCE && (is_own || at <= due + CAUSE_DISTANCE)
            };
            causes.iter().filter(move |(at, _)| is_near(*at)).map(move |cause| (!is_own, cause))
        });
        // Its own before those of all.
        let nearest = near.min_by_key(|(is_of_all, (at, _))| (*is_of_all, (*at - due).0.abs()));
        nearest.map(|(_, (_, cause))| format!("; {device}: {cause}")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{at, facts};
    use lastmeter_record::RunState;

    #[test]
    fn the_cause_next_to_a_missing_reading_is_its_own_or_of_whatever_carries_it() {
        let mut causes = Causes::default();
        let garbled =
            |seconds, detail: &str| Event::device(at(seconds), "m", "answer_refused", detail);
        for event in [
            Event::device(at(10), "m", "command_obeyed", "no cause"),
            garbled(20, "checksum"),
            garbled(400, "far behind"),
            Event::device(at(21), "n", "answer_refused", "another device's own"),
            Event::device(at(22), "adapter", "value_refused", "of n").with(field::DEVICE, "n"),
            Event::device(at(200), "adapter", "line_down", "unplugged"),
            Event::refused(at(31), "not_json", Some("p"), "t", "no JSON"),
        ] {
            causes.event(&event);
        }
        let mut facts = facts(RunState::Finished);
        let device = |name: &str| lastmeter_record::DeviceFacts {
            name: name.to_owned(),
            model: String::new(),
            evidence: lastmeter_record::Evidence::Simulated,
            at: String::new(),
            under_test: false,
            fidelity: None,
            serial: None,
            firmware: None,
            reports: Vec::new(),
        };
        facts.devices = ["m", "n", "p", "q"].map(device).to_vec();
        for (name, due, expected) in [
            ("m", 20, "; m: checksum"),
            ("m", 300, "; m: far behind"),
            ("n", 22, "; n: of n"),
            ("p", 30, "; p: no JSON"),
            ("q", 190, "; q: unplugged"),
            ("q", 20, ""),
        ] {
            assert_eq!(causes.of(name, at(due), &facts), expected, "{name} {due}");
        }
    }
}
