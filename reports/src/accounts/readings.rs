//! The bench's own account of a run: which readings were due, and what became of them.
//!
//! It is kept in every run, whatever the scenario's checks are about. Where the account of a device
//! is not clean and no check judges it, an implicit verdict reports it: what the bench knows to be
//! missing, altered, unexpected or foreign is never passed over.

use std::collections::BTreeMap;

use crate::by_device::ByDevice;
use crate::check::causes::Causes;
use crate::check::kind::{CheckContext, finish};
use crate::delivery::{Delivery, USABLE_MIN, place_of_stray, sparse, stray};
use crate::verdict::{At, Reason, Verdict, some_of};
use lastmeter_params::Pattern;
use lastmeter_record::{Account, Event, EventKind, Observation, RunFacts, field};

/// What the verdict about unjudged readings is called.
pub(crate) const UNJUDGED_READINGS: &str = "unjudged-readings";

/// Strays under more devices than this are counted together, so that forged device names cannot
/// fill the memory.
const STRAY_DEVICES_MAX: usize = 1_000;

const NAMED_MAX: usize = 3;

/// Keeps the account of every device while the record passes by.
pub(crate) struct ReadingAccountant {
    scenario: String,
    /// The devices whose account a check of the scenario judges.
    judged: Vec<Pattern>,
    devices: ByDevice<Delivery>,
    /// By device, how many and the first.
    strays: BTreeMap<String, (u64, At)>,
    /// Readings on too few samples, by device: how many and the first.
    sparse: BTreeMap<String, (u64, At)>,
    refused: u64,
    causes: Causes,
}

impl ReadingAccountant {
    /// For a scenario whose checks judge the accounts of these devices.
    pub(crate) fn new(scenario: &str, judged: Vec<Pattern>) -> Self {
        Self {
            scenario: scenario.to_owned(),
            judged,
            devices: ByDevice::new(Pattern::new("*")),
            strays: BTreeMap::new(),
            sparse: BTreeMap::new(),
            refused: 0,
            causes: Causes::default(),
        }
    }

    pub(crate) fn observation(&mut self, observation: &Observation<'_>) {
        if let Some(delivery) = self.devices.entry(observation.device) {
            delivery.observation(observation);
        }
    }

    pub(crate) fn event(&mut self, line: u64, event: &Event) {
        self.refused += u64::from(event.kind == EventKind::Refused);
        self.causes.event(event);
        let all = match (stray(event), sparse(event, USABLE_MIN)) {
            (None, None) => return,
            (Some(_), _) => &mut self.strays,
            _ => &mut self.sparse,
        };
        let device = event.text(field::DEVICE).unwrap_or_default();
        let is_full = all.len() >= STRAY_DEVICES_MAX && !all.contains_key(device);
        let device = if is_full { "" } else { device };
        let first = || (0, place_of_stray(event, line));
        all.entry(device.to_owned()).or_insert_with(first).0 += 1;
    }

    /// All devices together.
    pub(crate) fn account(&self) -> Account {
        Account { refused: self.refused, ..self.sum(|_| true) }
    }

    fn sum(&self, is_meant: impl Fn(&str) -> bool) -> Account {
        let mut account = Account::default();
        for (_, delivery) in self.devices.iter().filter(|(device, _)| is_meant(device)) {
            let delivery = delivery.closed();
            account.due += delivery.due;
            account.stored += delivery.stored;
            account.missing += delivery.missing;
            account.altered += delivery.altered;
            account.unexpected += delivery.unexpected;
        }
        let sum = |all: &BTreeMap<String, (u64, At)>| {
            all.iter().filter(|(device, _)| is_meant(device)).map(|(_, (count, _))| count).sum()
        };
        (account.foreign, account.sparse) = (sum(&self.strays), sum(&self.sparse));
        account
    }

    fn is_unjudged(&self, device: &str) -> bool {
        !self.judged.iter().any(|pattern| pattern.matches(device))
    }

    /// Why what is missing there is missing, as far as anybody reported it.
    fn cause(&self, account: &Account, first: &At, facts: &RunFacts) -> String {
        let place = first.device.as_deref().zip(first.time).filter(|_| account.missing > 0);
        place.map(|(device, at)| self.causes.of(device, at, facts)).unwrap_or_default()
    }

    /// A verdict if the account of a device that no check judges is not clean.
    pub(crate) fn verdict(&self, facts: &RunFacts) -> Option<Verdict> {
        let account = self.sum(|device| self.is_unjudged(device));
        if account.is_clean() {
            return None;
        }
        let mut names: Vec<&str> = Vec::new();
        let mut first: Option<At> = None;
        let mut take = |device, place: Option<At>| {
            names.push(device);
            let is_earlier = |at: &At| first.as_ref().is_none_or(|first| at.time < first.time);
            if let Some(place) = place.filter(is_earlier) {
                first = Some(place);
            }
        };
        for (device, delivery) in self.devices.iter().filter(|(name, _)| self.is_unjudged(name)) {
            let delivery = delivery.closed();
            let place = delivery.first_missing.iter().chain(&delivery.first_unexpected);
            if let Some(place) = place.min_by_key(|place| place.time) {
                take(device, Some(place.at(device)));
            }
        }
        let strays = self.strays.iter().chain(&self.sparse);
        for (device, (_, place)) in strays.filter(|(name, _)| self.is_unjudged(name)) {
            take(if device.is_empty() { "others" } else { device }, Some(place.clone()));
        }
        names.sort_unstable();
        names.dedup();
        let devices = some_of(&names[..names.len().min(NAMED_MAX)], names.len());
        let why = format!(
            "{account}; of {devices}, which no check of kind `no_loss` is about, so nothing else \
             may pass for it{}",
            first.as_ref().map(|first| self.cause(&account, first, facts)).unwrap_or_default()
        );
        let context = CheckContext::implicit(UNJUDGED_READINGS, &self.scenario);
        let unclean = account.missing + account.unexpected + account.foreign + account.sparse;
        let verdict = Verdict {
            measured: Some(unclean as f64),
            limit: Some(0.0),
            n: account.due,
            at: first,
            ..context.verdict(Reason::UnjudgedReadings, "1", why)
        };
        Some(finish(verdict, facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{at, facts, row};
    use lastmeter_record::RunState;

    const U: &str = "electricity.voltage.rms.l1";

    fn accountant(judged: &[&str]) -> ReadingAccountant {
        ReadingAccountant::new("s", judged.iter().map(|text| Pattern::new(text)).collect())
    }

    fn fed(judged: &[&str], rows: &[Observation<'_>], events: &[Event]) -> ReadingAccountant {
        let mut accountant = accountant(judged);
        for row in rows {
            accountant.observation(row);
        }
        for (line, event) in (1..).zip(events) {
            accountant.event(line, event);
        }
        accountant
    }

    fn good(device: &str, serial: u64) -> Observation<'_> {
        row(device, serial, U, Some(230.0), Some(230.0))
    }

    #[test]
    fn a_clean_account_is_shown_and_gives_no_verdict() {
        let accountant = fed(&[], &[good("a", 1), good("b", 1)], &[]);
        let account = accountant.account();
        assert!(account.is_clean());
        let expected =
            "2 of 2 readings stored as sent, nothing missing, altered, unexpected or foreign";
        assert_eq!(account.to_string(), expected);
        assert!(accountant.verdict(&facts(RunState::Finished)).is_none());
    }

    #[test]
    fn each_kind_of_unclean_account_is_inconclusive_unless_a_check_judges_it() {
        let missing = row("m", 2, U, Some(230.0), None);
        let altered = row("m", 2, U, None, Some(460.0));
        let extra = row("m", 9, U, None, Some(230.0));
        let unnumbered = Observation { epoch: None, serial: None, ..extra };
        let foreign = |device: &str| {
            vec![Event::new(at(3), "platform", "foreign_reading").with("device", device)]
        };
        let valueless =
            vec![Event::new(at(3), "platform", "valueless_reading").with("device", "m")];
        let unknown = Event::new(at(3), "platform", "unknown_value").with("device", "m");
        let unknown = vec![unknown.with("name", "x")];
        for (rows, events, account) in [
            (vec![missing], vec![], (1, 0, 0, 0)),
            (vec![missing, altered], vec![], (1, 1, 1, 0)),
            (vec![extra], vec![], (0, 0, 1, 0)),
            (vec![unnumbered], vec![], (0, 0, 1, 0)),
            (vec![], foreign("m"), (0, 0, 0, 1)),
            (vec![], valueless, (0, 0, 0, 1)),
            (vec![], unknown, (0, 0, 0, 1)),
        ] {
            let rows = [vec![good("m", 1)], rows].concat();
            let unjudged = fed(&["other"], &rows, &events);
            let found = unjudged.account();
            let found = (found.missing, found.altered, found.unexpected, found.foreign);
            assert_eq!(found, account, "{rows:?} {events:?}");
            let verdict = unjudged.verdict(&facts(RunState::Finished)).unwrap();
            assert_eq!(verdict.reason, Reason::UnjudgedReadings);
            assert_eq!(verdict.at.as_ref().unwrap().device.as_deref(), Some("m"));
            assert!(verdict.why.to_string().contains("of m, which no check"), "{}", verdict.why);
            for judged in ["*", "m"] {
                let judged = fed(&[judged], &rows, &events);
                assert!(judged.verdict(&facts(RunState::Finished)).is_none(), "{rows:?}");
                assert!(!judged.account().is_clean());
            }
        }
        // Whom nobody placed on the bench is covered by a check about all devices only.
        let ghost = fed(&["m"], &[good("m", 1)], &foreign("ghost"));
        assert!(
            ghost.verdict(&facts(RunState::Finished)).unwrap().why.to_string().contains("of ghost")
        );
    }

    #[test]
    fn readings_on_too_few_samples_are_none_to_pass_over() {
        let share = |usable: f64| {
            let event = Event::new(at(3), "m", EventKind::ReadingShare).with(field::DEVICE, "m");
            event.with(field::USABLE, usable)
        };
        let few = fed(&[], &[good("m", 1)], &[share(0.98), share(0.02)]);
        assert_eq!((few.account().sparse, few.account().stored), (1, 1));
        let verdict = few.verdict(&facts(RunState::Finished)).unwrap();
        assert_eq!((verdict.reason, verdict.measured), (Reason::UnjudgedReadings, Some(1.0)));
        assert!(verdict.why.to_string().contains("1 on too few samples; of m"), "{}", verdict.why);
        assert!(fed(&["m"], &[], &[share(0.02)]).verdict(&facts(RunState::Finished)).is_none());
        assert!(fed(&[], &[], &[share(0.95)]).verdict(&facts(RunState::Finished)).is_none());
    }

    #[test]
    fn what_is_not_there_is_not_spoken_of() {
        let account = Account { due: 5, stored: 3, missing: 2, altered: 1, ..Account::default() };
        let expected = "3 of 5 readings stored as sent, 2 missing, 1 of these altered";
        assert_eq!(account.to_string(), expected);
        let account = Account { unexpected: 4, foreign: 1, ..Account::default() };
        assert_eq!(account.to_string(), "no reading was due, 4 unexpected, 1 foreign");
        let account = Account { due: 1, missing: 1, ..Account::default() };
        assert_eq!(account.to_string(), "0 of 1 reading stored as sent, 1 missing");
    }

    /// Who refuses what was due shows it missing; what else it refuses is listed, and no loss.
    #[test]
    fn what_the_platform_refused_is_counted() {
        let refused = || Event::refused(at(3), "not_json", None, "t", "");
        let accountant = fed(&[], &[good("m", 1)], &[refused(), refused()]);
        let expected = "1 of 1 reading stored as sent, nothing missing, altered, unexpected or foreign, \
                    2 refused";
        assert_eq!(accountant.account().to_string(), expected);
        assert!(accountant.verdict(&facts(RunState::Finished)).is_none());
    }

    #[test]
    fn the_verdict_counts_everything_and_points_at_the_first() {
        let missing = |device, serial| row(device, serial, U, Some(230.0), None);
        let foreign = |device: &str, seconds| {
            let event = Event::new(at(seconds), "platform", "foreign_reading");
            event.with(field::DEVICE, device)
        };
        let verdict = |rows: &[Observation<'_>], events: &[Event]| {
            fed(&[], rows, events).verdict(&facts(RunState::Finished)).unwrap()
        };
        let extra = row("a", 9, U, None, Some(230.0));
        let rows = [good("a", 1), missing("b", 4), missing("b", 6), missing("c", 3), extra];
        let found = verdict(&rows, &[foreign("d", 35), foreign("d", 36), foreign("d", 37)]);
        assert_eq!((found.measured, found.limit, found.n), (Some(7.0), Some(0.0), 4));
        assert_eq!((found.check.as_str(), found.scenario.as_str()), (UNJUDGED_READINGS, "s"));
        assert!(found.why.to_string().contains("; of a, b, c and 1 more, which"), "{}", found.why);
        let place = found.at.unwrap();
        assert_eq!((place.device.as_deref(), place.time), (Some("c"), Some(at(30))));
        // What came first may be a stray; of two at once, the first by name is shown.
        let found = verdict(&rows[..4], &[foreign("d", 29)]);
        assert!(found.why.to_string().contains("; of b, c, d, which"), "{}", found.why);
        assert_eq!(found.at.unwrap().event, Some(1));
        let found = verdict(&[missing("b", 3), missing("c", 3)], &[foreign("d", 30)]);
        assert_eq!(found.at.unwrap().device.as_deref(), Some("b"));
    }

    #[test]
    fn forged_device_names_do_not_fill_the_memory() {
        let mut accountant = accountant(&[]);
        for number in 0..10_000 {
            let event = Event::new(at(1), "platform", "foreign_reading");
            accountant.event(number + 1, &event.with(field::DEVICE, format!("ghost-{number}")));
        }
        assert!(accountant.strays.len() <= STRAY_DEVICES_MAX + 1);
        assert_eq!(accountant.account().foreign, 10_000);
    }
}
