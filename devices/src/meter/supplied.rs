//! A meter that lives on the voltage it measures, and that reports voltage events.
//!
//! With samples the voltages are its half-cycle RMS values, and it notices that one changes at the
//! end of the cycle that shows it. Windows wait until it is known whether the meter worked all
//! through them: what is reported does not depend on how samples were cut. With windows the
//! voltages are those of the spectrum, over the last period too.

use std::collections::VecDeque;

use lastmeter_sim::{ChannelSpectrum, Spectrum};
use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use super::{Acquisition, Meter};
use crate::border::{EventKind, Output};
use crate::message::Alert;
use crate::outlet::event;
use crate::supply::{Above, Supply, SupplyEvent};
use crate::voltage_events::{EndedEvent, SeenVoltage, VoltageEvents};
use crate::window::PHASES_MAX;

/// How phases are called in messages.
const PHASES: [&str; PHASES_MAX] = ["l1", "l2", "l3"];

impl Meter {
    /// Whether it works at an instant since the start, as far as the voltage is known.
    pub(super) fn works_at(&self, at: SimDuration) -> bool {
        self.parts.supply.as_ref().is_none_or(|supply| supply.state.works_at(at))
    }

    fn is_dark(&self) -> bool {
        self.parts.supply.as_ref().is_some_and(|supply| supply.state.is_dark())
    }

    /// Time passes up to an instant since the start.
    pub(super) fn pass(&mut self, to: SimDuration, out: &mut Vec<Output>) {
        let events = self.parts.supply.as_mut().map(|supply| supply.pass(to));
        self.follow(events.unwrap_or_default(), out);
        self.watch(to, out);
    }

    /// Takes the half-cycle values that are complete, and the windows before their ends.
    pub(super) fn take_voltages(&mut self, out: &mut Vec<Output>) {
        let Acquisition::Samples { chain, .. } = &mut self.parts.acquisition else { return };
        let seen: Vec<SeenVoltage> = std::iter::from_fn(|| chain.pop_half_cycle()).collect();
        for it in seen {
            let at = SimDuration::from_seconds_f64(it.to_s);
            self.pass(at, out);
            self.look_for_events(&it, out);
            if let Some(supply) = &mut self.parts.supply {
                let events = supply.see(at, [(it.phase, it.value.rms)]);
                self.follow(events, out);
            }
            self.take_windows_to(at);
        }
    }

    /// Adds up the windows to an instant up to which the voltage is known, where it worked.
    fn take_windows_to(&mut self, known: SimDuration) {
        while let Some(window) = self.waiting.pop_front_if(|window| window.span().1 <= known) {
            let (from, to) = window.span();
            let supply = self.parts.supply.as_ref();
            if supply.is_none_or(|supply| supply.worked_over(from, to)) {
                self.take_window(window);
            }
        }
    }

    /// Takes the values of Pst that are known; none of ten minutes that were not all measured.
    pub(super) fn take_flicker(&mut self) {
        let is_dark = self.is_dark();
        let Acquisition::Samples { chain, .. } = &mut self.parts.acquisition else { return };
        while let Some((phase, pst)) = chain.pop_flicker() {
            let partial = self.is_pst_partial.get_mut(phase);
            if !is_dark && !partial.is_some_and(std::mem::take) {
                self.totaliser.set_flicker(phase, pst);
            }
        }
    }

    fn look_for_events(&mut self, seen: &SeenVoltage, out: &mut Vec<Output>) {
        let (from, at) =
            (SimDuration::from_seconds_f64(seen.from_s), SimDuration::from_seconds_f64(seen.to_s));
        let supply = self.parts.supply.as_ref();
        let worked = supply.is_none_or(|supply| supply.worked_over(from, at));
        let Some(events) = self.parts.events.as_mut().filter(|_| worked) else { return };
        let ended = events.push(seen.phase, seen.value);
        self.is_interrupted |= events.is_interrupted();
        for it in ended {
            let (begun, alert) = voltage_alert(&it, seen.to_s);
            self.alert(at, begun, alert, out);
        }
    }

    /// Takes the voltages of the spectrum that holds from where the last one ended up to an
    /// instant; gives when they cross what the supply looks at.
    pub(super) fn crossings(
        &mut self,
        until: SimDuration,
        spectrum: &Spectrum,
    ) -> VecDeque<(SimDuration, Above)> {
        let Some(supply) = &self.parts.supply else { return VecDeque::new() };
        let mut squares = [0.0; PHASES_MAX];
        for (square, channel) in squares.iter_mut().zip(&spectrum.voltages) {
            *square = mean_square(channel);
        }
        let period = SimDuration::from_seconds_f64(1.0 / spectrum.fundamental_hz.max(1.0));
        let looked_at = (period, supply.levels_v());
        self.last_period.take((self.spectra_until, until), squares, looked_at)
    }

    /// The voltages cross what the supply looks at.
    pub(super) fn crossed(&mut self, at: SimDuration, above: Above, out: &mut Vec<Output>) {
        let events = self.parts.supply.as_mut().map(|supply| supply.turn(at, above));
        self.follow(events.unwrap_or_default(), out);
    }

    /// Does what follows from what became of the supply.
    fn follow(&mut self, events: Vec<SupplyEvent>, out: &mut Vec<Output>) {
        for it in events {
            self.watch(it.at(), out);
            match it {
                SupplyEvent::Failed { at } => {
                    self.is_interrupted = true;
                    self.gasp(at, out);
                }
                SupplyEvent::Alarmed { at } => self.gasp(at, out),
                SupplyEvent::Survived { at, away } => self.report_return(at, away, true, out),
                SupplyEvent::WentDark { at } => {
                    let detail = format!("from {} on", self.parts.outlet.start() + at);
                    event(out, EventKind::Dark, &detail);
                    self.parts.outlet.goes_dark();
                    if let Some(tamper) = &mut self.parts.tamper {
                        tamper.goes_dark();
                    }
                    self.held.clear();
                }
                SupplyEvent::WorksAgain { at, away } => {
                    let from = self.parts.outlet.start() + at;
                    event(out, EventKind::WorksAgain, &format!("from {from} on"));
                    self.begin_again(at);
                    self.parts.outlet.works_again(out);
                    self.report_return(at, away, false, out);
                    if let Some(tamper) = &mut self.parts.tamper {
                        tamper.works_again();
                    }
                }
            }
        }
    }

    /// Measures again from an instant on: what was begun before is gone, but for the registers.
    fn begin_again(&mut self, at: SimDuration) {
        self.totaliser.begin_again();
        self.is_pst_partial = [true; PHASES_MAX];
        if let Some(events) = &mut self.parts.events {
            events.restart();
        }
        match &mut self.parts.acquisition {
            Acquisition::Samples { chain, .. } => chain.forget(),
            Acquisition::Windows(closed_form) => closed_form.begin_again(at.as_seconds_f64()),
        }
    }

    pub(super) fn gasp(&mut self, at: SimDuration, out: &mut Vec<Output>) {
        let Some(supply) = self.parts.supply.as_mut().filter(|it| it.facts.gasps) else { return };
        if supply.gasp.loss.draw() {
            let detail = format!("that of {}", self.parts.outlet.start() + at);
            return event(out, EventKind::LastGaspLost, &detail);
        }
        let (kind, level) = ("supply.failed", AlertLevel::Critical);
        let (text, facts) =
            ("the supply failed".to_owned(), vec![(fact::KIND, "last_gasp".into())]);
        self.alert(at, at, Alert { kind, level, text, facts }, out);
    }

    /// The power-up message, where it is sent; after a hold-up only if there was a last gasp.
    fn report_return(
        &mut self,
        at: SimDuration,
        away: SimDuration,
        needs_gasp: bool,
        out: &mut Vec<Output>,
    ) {
        let reports = |supply: &&mut Supply| {
            let facts = supply.facts;
            facts.reports && (facts.gasps || !needs_gasp)
        };
        let Some(supply) = self.parts.supply.as_mut().filter(reports) else { return };
        if supply.power_up.draw() {
            let detail = format!("that of {}", self.parts.outlet.start() + at);
            return event(out, EventKind::PowerUpLost, &detail);
        }
        let text = format!("the supply is back after {:.3} s", away.as_seconds_f64());
        let facts = vec![
            (fact::KIND, "power_up".to_owned()),
            (fact::DURATION_S, away.as_seconds_f64().to_string()),
        ];
        let (kind, level) = ("supply.returned", AlertLevel::Info);
        self.alert(at, at, Alert { kind, level, text, facts }, out);
    }

    /// Sends an alert of an instant `of`, unless the application hangs `at` the present one.
    pub(super) fn alert(
        &mut self,
        at: SimDuration,
        of: SimDuration,
        alert: Alert,
        out: &mut Vec<Output>,
    ) {
        if !self.parts.outlet.is_frozen(at) {
            self.parts.outlet.alert(of, alert, out);
        }
    }

    /// Marks the reading to be made if measuring was interrupted since the last one.
    pub(super) fn mark_interruption(&mut self) {
        let is_on_hold_up =
            self.parts.supply.as_ref().is_some_and(|supply| supply.state.is_on_hold_up());
        let goes_on =
            is_on_hold_up || self.parts.events.as_ref().is_some_and(VoltageEvents::is_interrupted);
        if std::mem::replace(&mut self.is_interrupted, goes_on) {
            self.parts.outlet.mark_interrupted();
        }
    }
}

/// When an event that was seen to be over began, and what is sent of it.
fn voltage_alert(ended: &EndedEvent, seen_s: f64) -> (SimDuration, Alert) {
    let EndedEvent { kind, phase, duration_s, since_s, residual_v } = *ended;
    let word = kind.word();
    let phase = PHASES.get(phase).copied().unwrap_or("?");
    let text = format!("{word} on {phase}: residual {residual_v:.2} V for {duration_s:.4} s");
    let begun_s = (seen_s - since_s - duration_s).max(0.0);
    let facts = vec![
        (fact::KIND, word.to_owned()),
        (fact::PHASE, phase.to_owned()),
        (fact::RESIDUAL_V, residual_v.to_string()),
        (fact::DURATION_S, duration_s.to_string()),
    ];
    let alert = Alert { kind: kind.alert_type(), level: AlertLevel::Warning, text, facts };
    (SimDuration::from_seconds_f64(begun_s), alert)
}

/// RMS of a channel.
fn mean_square(channel: &ChannelSpectrum) -> f64 {
    let tones: f64 = channel.tones.iter().map(|tone| tone.rms * tone.rms).sum();
    channel.dc * channel.dc + tones + channel.noise_rms * channel.noise_rms
}
