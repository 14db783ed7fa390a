//! A meter: acquisition, readings on schedule, commands, faults, and its outbox.
//!
//! Terms: *due* is the instant a reading belongs to; it contains every window completed by then.
//! With samples, a window is complete once the few samples that its smooth edges reach beyond its
//! end are there, so one that ends just before the due instant may fall to the next reading; the
//! announced span shows which.

mod supplied;
mod tampered;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lastmeter_sim::{
    Block, DeclaredSpan, ElectricityFacts, Netting, ProfileIntervals, ReferenceSpan, Spectrum,
};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::Order;
use lastmeter_zigbee::zcl::cluster::ota::ImageId;

use crate::answer::{CommandFault, NO_BREAKER, NO_POINTS, period, understood};
use crate::border::{
    Device, DeviceFault, EventFacts, EventKind, Feed, Input, Output, SupplyFacts, TamperFacts,
};
use crate::class_errors::ClassErrors;
use crate::display::Display;
use crate::front_end::{Calibration, ChannelError};
use crate::outlet::{Outlet, event};
use crate::reading::{Energy, Totaliser};
use crate::register::Registers;
use crate::sampled::{Sampled, first_sample_at};
use crate::supply::{OnePeriod, Supply};
use crate::tamper::Tamper;
use crate::voltage_events::VoltageEvents;
use crate::window::{MeasuredWindow, PERIOD_MIN, PHASES_MAX};
use crate::windows::ClosedForm;
use crate::wiring::Wiring;

/// A reading that is due up to so much after a ten-minute tick ends with the tick, in seconds: that
/// much is granted between the end of what a reading covers and its instant.
const AFTER_TICK_S: f64 = 0.5;

#[derive(Debug)]
pub(crate) enum Acquisition {
    /// From every sample.
    Samples { chain: Box<Sampled>, rate_hz: f64, taken: u64 },
    /// In closed form.
    Windows(Box<ClosedForm>),
}

#[derive(Debug)]
pub(crate) struct MeterParts {
    pub(crate) outlet: Box<dyn Outlet>,
    pub(crate) acquisition: Acquisition,
    pub(crate) quantities: Vec<MeasurementId>,
    /// What its readings are taken from.
    pub(crate) display: Display,
    pub(crate) netting: Netting,
    pub(crate) period: SimDuration,
    pub(crate) registers: Registers,
    pub(crate) energy: Energy,
    /// On the nameplate, in pulses per kWh and kvarh.
    pub(crate) pulse_constant: f64,
    /// The intervals of its power profile, if it has one.
    pub(crate) profile: Option<ProfileIntervals>,
    /// Phases of the network; a meter with a second set of channels has more in its windows.
    pub(crate) phases: usize,
    /// Whether it has a breaker, and with it a second voltage behind that and a neutral current.
    pub(crate) has_breaker: bool,
    /// How it lives on the voltage it measures; `None`: it has a supply of its own.
    pub(crate) supply: Option<Supply>,
    pub(crate) events: Option<VoltageEvents>,
    pub(crate) tamper: Option<Tamper>,
    /// How it is wired, where that is not as it should be.
    pub(crate) wiring: Option<Wiring>,
    /// The errors of its accuracy class, of a model that has one.
    pub(crate) errors: Option<ClassErrors>,
}

#[derive(Debug)]
pub(crate) struct Meter {
    parts: MeterParts,
    totaliser: Totaliser,
    next_due: SimDuration,
    /// Whether the present spectrum may exceed the converter's range, which has been reported.
    is_beyond_range: bool,
    is_open: bool,
    /// Windows that began at a tick and wait for the reading that ends with it to be made.
    held: Vec<MeasuredWindow>,
    /// Windows that wait until it is known whether the meter worked all through them.
    waiting: VecDeque<MeasuredWindow>,
    spectra_until: SimDuration,
    /// The voltages of the last period, of a meter whose voltages are known as spectra.
    last_period: OnePeriod,
    /// Whether a voltage was interrupted, or the meter dark, since the last reading.
    is_interrupted: bool,
    /// Phases whose next value of Pst is of ten minutes that were not all measured.
    is_pst_partial: [bool; PHASES_MAX],
}

impl Meter {
    pub(crate) fn new(parts: MeterParts) -> Self {
        Self {
            totaliser: Totaliser::new(parts.netting, parts.energy).only(&parts.quantities),
            next_due: parts.period,
            is_beyond_range: false,
            is_open: false,
            held: Vec::new(),
            waiting: VecDeque::new(),
            spectra_until: SimDuration::ZERO,
            last_period: OnePeriod::default(),
            is_interrupted: false,
            is_pst_partial: [false; PHASES_MAX],
            parts,
        }
    }

    fn samples(&mut self, first_sample: u64, rate_hz: f64, block: &Block, out: &mut Vec<Output>) {
        let Acquisition::Samples { chain, rate_hz: own_rate_hz, taken } = &self.parts.acquisition
        else {
            return event(
                out,
                EventKind::InputRefused,
                "samples for a meter that computes from spectra",
            );
        };
        let Some(samples) =
            chain.samples_in(block).filter(|_| *taken == first_sample && *own_rate_hz == rate_hz)
        else {
            let detail = format!(
                "samples from {first_sample} at {rate_hz} Hz, where {taken} at {own_rate_hz} Hz \
                 is due, or not of the right channels"
            );
            return event(out, EventKind::InputRefused, &detail);
        };
        let mut from = 0;
        while from < samples
            || first_sample + from as u64 >= first_sample_at(self.next_due, rate_hz)
        {
            // Samples before the due instant come first, then its reading, then the rest.
            let due = first_sample_at(self.next_due, rate_hz).saturating_sub(first_sample);
            let to = usize::try_from(due).unwrap_or(usize::MAX).min(samples);
            if let Err(error) = self.take(block, from, to, out) {
                event(out, EventKind::InputRefused, &error);
            }
            self.warn_of_clipping(out);
            from = to.max(from);
            if first_sample + from as u64 >= first_sample_at(self.next_due, rate_hz) {
                self.reading_due(out);
                self.held.drain(..).for_each(|window| self.totaliser.add(&window));
            }
        }
        if self.parts.supply.is_none() {
            let taken = first_sample + samples as u64;
            self.watch(SimDuration::from_seconds_f64(taken as f64 / rate_hz), out);
        }
    }

    /// Reports every channel that begins to be clipped at the end of its converter's range.
    fn warn_of_clipping(&mut self, out: &mut Vec<Output>) {
        let Acquisition::Samples { chain, .. } = &mut self.parts.acquisition else { return };
        for (channel, at_s, clipped) in chain.take_clipped() {
            let why = if clipped.by_supply {
                "while the supply of its transducer comes up (transducer_start): the input is \
                 within the range"
            } else {
                "see the ratios, nominal values and headrooms of the device"
            };
            let detail = format!(
                "the {channel} is clipped at the end of the converter's range from {at_s:.6} s \
                 on; {why}"
            );
            event(out, EventKind::Clipped, &detail);
        }
    }

    /// Converts samples `from..to`, piece by piece where the temperature changes.
    fn take(
        &mut self,
        block: &Block,
        from: usize,
        to: usize,
        out: &mut Vec<Output>,
    ) -> Result<(), String> {
        let mut at = from;
        let mut pushed = Ok(());
        for change in &block.temperatures {
            let change_at = change.sample.clamp(at, to);
            if change.sample < from || change.sample >= to {
                continue;
            }
            pushed = pushed.and(self.take_piece(block, at, change_at, out));
            at = change_at;
            if let Some(errors) = &mut self.parts.errors {
                errors.celsius = change.celsius;
            }
            if let Acquisition::Samples { chain, .. } = &mut self.parts.acquisition {
                let set = chain.set_temperature(change.celsius);
                pushed = pushed.and(set.map_err(|_| too_far("the temperature")));
            }
        }
        pushed.and(self.take_piece(block, at, to, out))
    }

    /// Converts samples `from..to` and adds up the windows they complete.
    fn take_piece(
        &mut self,
        block: &Block,
        from: usize,
        to: usize,
        out: &mut Vec<Output>,
    ) -> Result<(), String> {
        let Acquisition::Samples { chain, taken, .. } = &mut self.parts.acquisition else {
            return Ok(());
        };
        if from >= to {
            return Ok(());
        }
        *taken += (to - from) as u64;
        let pushed = chain.push(block, (from, to), self.is_open);
        let windows: Vec<MeasuredWindow> = std::iter::from_fn(|| chain.pop()).collect();
        for window in windows {
            if self.parts.supply.is_some() {
                self.waiting.push_back(window);
            } else {
                self.take_window(window);
            }
        }
        self.take_voltages(out);
        self.take_flicker();
        pushed.map_err(|error| error.to_string())
    }

    /// Adds up a window, or keeps it for the reading after the next.
    fn take_window(&mut self, mut window: MeasuredWindow) {
        prepare(&mut self.parts, &mut window);
        // A reading that is due just after a tick ends with it.
        let due_s = self.next_due.as_seconds_f64() - window.from_s;
        let ends_here =
            window.begins_interval && due_s <= AFTER_TICK_S && self.totaliser.span().is_some();
        if ends_here || !self.held.is_empty() {
            self.held.push(window);
        } else {
            self.totaliser.add(&window);
        }
    }

    fn spectrum(&mut self, until: SimDuration, spectrum: &Arc<Spectrum>, out: &mut Vec<Output>) {
        let Acquisition::Windows(closed_form) = &mut self.parts.acquisition else {
            return event(
                out,
                EventKind::InputRefused,
                "a spectrum for a meter that takes samples",
            );
        };
        if !closed_form.hold(spectrum) {
            let detail = "a spectrum without a fundamental, or not of the right channels";
            return event(out, EventKind::InputRefused, detail);
        }
        let is_beyond_range = closed_form.is_beyond_range();
        let was_beyond_range = std::mem::replace(&mut self.is_beyond_range, is_beyond_range);
        if is_beyond_range && !was_beyond_range {
            let detail = "the tones together may exceed the converter's range; clipping needs \
                          fidelity = \"samples\"";
            event(out, EventKind::BeyondRange, detail);
        }
        let mut crossings = self.crossings(until, spectrum);
        loop {
            let change = self.parts.supply.as_ref().and_then(|supply| supply.state.next_change());
            let first = change.map_or(self.next_due, |at| at.min(self.next_due)).min(until);
            if let Some((at, above)) = crossings.pop_front_if(|(at, _)| *at <= first) {
                self.complete_windows(at);
                self.crossed(at, above, out);
            } else if let Some(at) = change.filter(|&at| at <= until && at <= self.next_due) {
                self.complete_windows(at);
                self.pass(at, out);
            } else if self.next_due <= until {
                self.complete_windows(self.next_due);
                self.reading_due(out);
            } else {
                break;
            }
        }
        self.complete_windows(until);
        self.watch(until, out);
        self.spectra_until = until;
    }

    fn complete_windows(&mut self, until: SimDuration) {
        // Up to when it goes dark windows have been completed; when it works they begin again.
        if self.parts.supply.as_ref().is_some_and(|supply| supply.state.is_dark()) {
            return;
        }
        let until_s = until.as_seconds_f64();
        while let Acquisition::Windows(closed_form) = &mut self.parts.acquisition
            && let Some(mut window) = closed_form.next(until_s)
        {
            prepare(&mut self.parts, &mut window);
            self.totaliser.add(&window);
        }
    }

    fn reading_due(&mut self, out: &mut Vec<Output>) {
        let due = self.next_due;
        self.next_due = due + self.parts.period;
        self.pass(due, out);
        if !self.works_at(due) || self.parts.outlet.is_frozen(due) {
            return;
        }
        let Some((from, to, registers_from)) = self.totaliser.span() else {
            let at = self.parts.outlet.start() + due;
            let detail = format!("nothing measured since the last reading, at {at}");
            return event(out, EventKind::ReadingWithoutWindow, &detail);
        };
        let span = ReferenceSpan { from, to, registers_from };
        let quantities = self.parts.quantities.iter();
        let shown = |id| Some((id, self.parts.display.shown(id, self.totaliser.value(id)?)));
        let values = quantities.copied().filter_map(shown);
        let values = values.collect();
        self.totaliser.begin_next();
        self.mark_interruption();
        self.parts.outlet.reading(due, span, values, out);
    }

    fn received(&mut self, now: SimTime, payload: &[u8], out: &mut Vec<Output>) {
        if !self.works_at(now - self.parts.outlet.start()) {
            return event(out, EventKind::CommandIgnored, "without supply");
        }
        if let Some((invocation, order)) = self.parts.outlet.received(now, payload, out) {
            let was_open = self.is_open;
            let obeyed = order.and_then(|order| self.obey(now, order));
            if self.is_open != was_open {
                out.push(Output::Switched { is_closed: !self.is_open });
            }
            self.parts.outlet.answer(now, invocation, obeyed, out);
        }
    }

    /// Carries out a command; what to answer.
    fn obey(&mut self, now: SimTime, order: Order) -> Result<String, String> {
        match order {
            Order::SetPeriod { seconds } => {
                let period = period(seconds, PERIOD_MIN)?;
                self.parts.period = period;
                self.next_due = now - self.parts.outlet.start() + period;
                Ok(format!("reporting period set to {period}"))
            }
            Order::ReadRegister { register } => self.parts.registers.read(&register),
            Order::SetRegister { register, value } => {
                let before = self.parts.registers.bits();
                let (response, phase) = self.parts.registers.write(&register, &value)?;
                if self.calibrate(phase).is_err() {
                    self.parts.registers.restore(before);
                    // The values before were in force, so they can be had again.
                    let _ = self.calibrate(phase);
                    return Err(too_far(&format!("the phase with {response}")));
                }
                self.totaliser.set_no_load(self.parts.registers.no_load_w());
                Ok(response)
            }
            Order::SetPoint { .. } => Err(NO_POINTS.to_owned()),
            Order::SetBreaker { .. } if !self.parts.has_breaker => Err(NO_BREAKER.to_owned()),
            Order::SetBreaker { is_open } => {
                self.is_open = is_open;
                self.totaliser.set_open(is_open);
                if let Acquisition::Windows(closed_form) = &mut self.parts.acquisition {
                    closed_form.set_open(is_open);
                }
                Ok(format!("breaker {}", if is_open { "open" } else { "closed" }))
            }
        }
    }

    /// Lets the registers of a phase act on what comes from now on.
    fn calibrate(&mut self, phase: usize) -> Result<(), ChannelError> {
        let (u, i) = self.parts.registers.calibration(phase);
        let phases = self.parts.phases;
        let mut set = |channel: usize, calibration: Calibration| match &mut self.parts.acquisition {
            Acquisition::Samples { chain, .. } => chain.calibrate(channel, calibration),
            Acquisition::Windows(closed_form) => closed_form.calibrate(channel, calibration),
        };
        if phase >= phases {
            return Ok(());
        }
        let per_kind = if self.parts.has_breaker { 2 * phases } else { phases };
        set(phase, u)?;
        set(per_kind + phase, i)
    }
}

/// Makes of a window what is added up: registers and the errors of a class act on it, and only the
/// network's phases stay among its own.
fn prepare(parts: &mut MeterParts, window: &mut MeasuredWindow) {
    parts.registers.apply(window);
    if let Some(errors) = &parts.errors {
        errors.apply(window);
    }
    let phases = parts.phases;
    if let Some(second) = window.phases.get_mut(phases).filter(|_| phases == 1) {
        window.second = std::mem::take(second);
    }
}

/// What cannot be had at this sampling rate.
fn too_far(what: &str) -> String {
    format!("{what} asks for a phase shift of more than eight samples")
}

impl Device for Meter {
    fn feed(&self) -> Feed {
        match self.parts.acquisition {
            Acquisition::Samples { rate_hz, .. } => Feed::Samples { rate_hz },
            Acquisition::Windows(_) => Feed::Spectrum,
        }
    }

    fn quantities(&self) -> &[MeasurementId] {
        &self.parts.quantities
    }

    fn electricity(&self) -> Option<ElectricityFacts> {
        let (netting, pulse_constant) = (self.totaliser.netting, self.parts.pulse_constant);
        Some(ElectricityFacts { netting, pulse_constant, profile: self.parts.profile })
    }

    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        if let Some(known) = self.parts.outlet.commands() {
            let what = || format!("unknown command `{command}`; there are {}", known.join(", "));
            let is_known = known.contains(&command);
            return (!is_known).then(|| CommandFault::Impossible { parameter: None, what: what() });
        }
        let order = match understood(command, parameters) {
            Ok(order) => order,
            Err(fault) => return Some(fault),
        };
        if let Some(fault) = self.parts.outlet.refusal() {
            return Some(fault);
        }
        let refused = |parameter, what| Some(CommandFault::refused(parameter, what));
        let registers = &self.parts.registers;
        match order {
            Order::ReadRegister { register } => {
                registers.read(&register).err().and_then(|what| refused(Some("register"), what))
            }
            Order::SetRegister { register, value } => {
                let what = registers.clone().write(&register, &value).err()?;
                let is_there = registers.read(&register).is_ok();
                refused(Some(if is_there { "value" } else { "register" }), what)
            }
            Order::SetBreaker { .. } if !self.parts.has_breaker => {
                refused(None, NO_BREAKER.to_owned())
            }
            Order::SetPeriod { seconds } => {
                period(seconds, PERIOD_MIN).err().and_then(|what| refused(Some("seconds"), what))
            }
            Order::SetPoint { .. } => refused(None, NO_POINTS.to_owned()),
            Order::SetBreaker { .. } => None,
        }
    }

    fn supply(&self) -> Option<SupplyFacts> {
        self.parts.supply.as_ref().map(|it| it.facts)
    }

    fn watched_events(&self) -> Option<EventFacts> {
        self.parts.events.as_ref().map(|events| events.facts.clone())
    }

    fn watched_tamper(&self) -> Option<TamperFacts> {
        self.parts.tamper.as_ref().map(|tamper| tamper.facts.clone())
    }

    fn network_address(&self) -> Option<String> {
        self.parts.outlet.network_address()
    }

    fn image(&self) -> Option<ImageId> {
        self.parts.outlet.image()
    }

    fn awaits_answer(&self) -> bool {
        self.parts.outlet.awaits_answer()
    }

    fn declared(&self) -> Option<DeclaredSpan> {
        self.parts.outlet.declared()
    }

    fn wake_at(&self) -> Option<SimTime> {
        self.parts.outlet.wake_at(self.parts.outlet.start() + self.next_due)
    }

    fn report_period(&self) -> SimDuration {
        self.parts.period
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Samples { first_sample, rate_hz, block } => {
                let block = match &self.parts.wiring {
                    Some(wiring) => wiring.block(block),
                    None => block,
                };
                self.samples(first_sample, rate_hz, &block, out);
            }
            Input::Spectrum { until, spectrum, celsius } => {
                if let Some(errors) = &mut self.parts.errors {
                    errors.celsius = celsius;
                }
                let spectrum = match &self.parts.wiring {
                    Some(wiring) => wiring.spectrum(&spectrum),
                    None => spectrum,
                };
                self.spectrum(until, &spectrum, out);
            }
            Input::Pipe { .. } => {
                event(out, EventKind::InputRefused, "a pipe's state for an electricity meter");
            }
            Input::Received { payload } => self.received(now, &payload, out),
            Input::Fault(DeviceFault::FalseGasp) if self.parts.supply.is_some() => {
                self.gasp(now - self.parts.outlet.start(), out);
            }
            Input::Fault(DeviceFault::Tamper { what, until }) => {
                self.tampered((what, None), (now, until), out);
            }
            Input::Fault(DeviceFault::TamperSensor { what, shows, until }) => {
                self.tampered((what, Some(shows)), (now, until), out);
            }
            other => {
                self.parts.outlet.take(now, other, out);
                while let Some(order) = self.parts.outlet.order() {
                    match self.obey(now, order) {
                        Ok(done) => event(out, EventKind::CommandObeyed, &done),
                        Err(why) => event(out, EventKind::CommandRefused, &why),
                    }
                }
            }
        }
    }

    fn unacknowledged(&self) -> usize {
        self.parts.outlet.unacknowledged()
    }
}
