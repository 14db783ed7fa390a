//! A fault recorder: it keeps the last samples of three voltages and three currents, and sends them
//! as one block when a fault begins, with what followed.
//!
//! Terms: *counts* are the steps of its converter; the *window* is the last cycle, of whose root
//! mean square it goes by. A current above its pickup or a voltage below its dip threshold
//! triggers; after a block it is armed again once all windows are as they should be. An alert that
//! names the block follows it.

use std::collections::{BTreeMap, VecDeque};

use lastmeter_sim::Block as Samples;
use lastmeter_units::{HardwareId, MeasurementId, Phase, Quantity, Serial, SimDuration, SimTime};
use lastmeter_wire::block::{Block, Channel, encode_block};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use crate::answer::{CommandFault, understood};
use crate::border::{Device, EventKind, Feed, Input, Output};
use crate::gaussian::Gaussian;
use crate::message::{Alert, EPOCH};
use crate::outlet::{Outlet, event};

/// Samples in a cycle of the nominal frequency.
pub(crate) const PER_CYCLE: usize = 32;
/// Its channels: the voltages to earth of three phases, then their currents.
pub(crate) const CHANNELS: usize = 6;
const PHASES: usize = CHANNELS / 2;
/// Readings: it makes none. A hundred years, since the schedule of a device has a period.
const NEVER: SimDuration = SimDuration::from_seconds(100 * 365 * 86_400);
/// The type of the alert that names a block.
const RECORDED: &str = "fault.recorded";

/// What a recorder is made of.
#[derive(Debug)]
pub(crate) struct RecorderParts {
    pub(crate) outlet: Box<dyn Outlet>,
    pub(crate) hardware_id: HardwareId,
    pub(crate) start: SimTime,
    /// Samples per second of each channel.
    pub(crate) rate_hz: f64,
    /// Samples before the trigger, and from it on.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// The value of one count of voltages in volts, and of currents in amperes.
    pub(crate) scales: [f64; 2],
    /// Counts are at most so many, of either sign.
    pub(crate) counts_max: f64,
    /// Standard deviations of what is added to voltages in volts, to currents in amperes.
    pub(crate) noise: [f64; 2],
    /// Below this r.m.s. voltage in volts it triggers ...
    pub(crate) dip_v: f64,
    /// ... and above this r.m.s. current in amperes.
    pub(crate) pickup_a: f64,
    pub(crate) draws: Gaussian,
}

/// Why it triggered.
#[derive(Clone, Copy, Debug)]
struct Trigger {
    /// The channel: 0 to 2 are voltages, 3 to 5 currents.
    channel: usize,
    /// The number of the sample with which it did.
    sample: u64,
}

/// A fault recorder.
#[derive(Debug)]
pub(crate) struct FaultRecorder {
    parts: RecorderParts,
    /// What was taken last, as counts, oldest first; at most what a block holds.
    kept: VecDeque<[i16; CHANNELS]>,
    /// Sums of squares over the window, in counts.
    squares: [i64; CHANNELS],
    taken: u64,
    /// Of the block that is being taken.
    trigger: Option<Trigger>,
    is_armed: bool,
    serial: u64,
}

impl FaultRecorder {
    pub(crate) fn new(parts: RecorderParts) -> Self {
        let kept = VecDeque::with_capacity(parts.before + parts.after);
        let (squares, trigger, serial) = ([0; CHANNELS], None, 0);
        Self { parts, kept, squares, taken: 0, trigger, is_armed: true, serial }
    }

    /// A voltage or a current as its converter gives it.
    fn counts(&mut self, channel: usize, value: f64) -> i16 {
        let kind = channel / PHASES;
        let (scale, noise) = (self.parts.scales[kind], self.parts.noise[kind]);
        let value = if noise > 0.0 { value + noise * self.parts.draws.draw() } else { value };
        let most = self.parts.counts_max;
        (value / scale).round().clamp(-most, most) as i16
    }

    fn samples(&mut self, first_sample: u64, rate_hz: f64, block: &Samples, out: &mut Vec<Output>) {
        let channels: Vec<&Vec<f64>> = block.voltages.iter().chain(&block.currents).collect();
        if channels.len() != CHANNELS || first_sample != self.taken || rate_hz != self.parts.rate_hz
        {
            let detail = format!("samples from {first_sample}, expected {} at once", self.taken);
            return event(out, EventKind::InputRefused, &detail);
        }
        let mut channels: Vec<_> = channels.into_iter().map(|values| values.iter()).collect();
        loop {
            let mut counts = [0; CHANNELS];
            for (channel, values) in channels.iter_mut().enumerate() {
                let Some(value) = values.next() else { return };
                counts[channel] = self.counts(channel, *value);
            }
            self.sample(counts, out);
        }
    }

    /// Takes one sample of each channel.
    fn sample(&mut self, counts: [i16; CHANNELS], out: &mut Vec<Output>) {
        let leaving = self.kept.len().checked_sub(PER_CYCLE).and_then(|at| self.kept.get(at));
        for (channel, sum) in self.squares.iter_mut().enumerate() {
            let square = |counts: &[i16; CHANNELS]| i64::from(counts[channel]).pow(2);
            *sum += square(&counts) - leaving.map_or(0, square);
        }
        if self.kept.len() == self.parts.before + self.parts.after {
            self.kept.pop_front();
        }
        self.kept.push_back(counts);
        let sample = self.taken;
        self.taken += 1;
        let beyond = if self.taken < PER_CYCLE as u64 { None } else { self.beyond() };
        match (self.trigger, beyond) {
            (Some(trigger), _) if sample + 1 >= trigger.sample + self.parts.after as u64 => {
                self.trigger = None;
                self.send(trigger, out);
            }
            (None, Some(channel)) if self.is_armed => {
                self.is_armed = false;
                let at = SimDuration::from_seconds_f64(sample as f64 / self.parts.rate_hz);
                if !self.parts.outlet.is_frozen(at) {
                    self.trigger = Some(Trigger { channel, sample });
                }
            }
            (None, None) => self.is_armed = true,
            _ => {}
        }
    }

    /// The first channel whose window is not as it should be, currents before voltages: a fault
    /// shows in both.
    fn beyond(&self) -> Option<usize> {
        let rms = |channel: usize| {
            let mean = self.squares[channel] as f64 / PER_CYCLE as f64;
            mean.sqrt() * self.parts.scales[channel / PHASES]
        };
        let is_over = |channel: &usize| rms(*channel) > self.parts.pickup_a;
        let is_under = |channel: &usize| rms(*channel) < self.parts.dip_v;
        (PHASES..CHANNELS).find(is_over).or_else(|| (0..PHASES).find(is_under))
    }

    /// Sends what is kept as a block, and an alert that names it.
    fn send(&mut self, trigger: Trigger, out: &mut Vec<Output>) {
        let wanted = self.parts.before + self.parts.after;
        let first = self.taken - self.kept.len().min(wanted) as u64;
        let since = |sample: u64| SimDuration::from_seconds_f64(sample as f64 / self.parts.rate_hz);
        self.serial += 1;
        let channel = |(channel, id): (usize, MeasurementId)| Channel {
            id,
            scale: self.parts.scales[channel / PHASES],
            samples: self.kept.iter().map(|counts| counts[channel]).collect(),
        };
        let block = Block {
            hardware_id: self.parts.hardware_id.clone(),
            epoch: EPOCH,
            serial: Serial(self.serial),
            first: self.parts.start + since(first),
            rate_hz: self.parts.rate_hz,
            channels: identifiers().enumerate().map(channel).collect(),
        };
        let samples = block.samples_per_channel();
        let payload = match encode_block(&block) {
            Ok(payload) => payload,
            // Its model has seen to what a block may hold.
            Err(refusal) => return event(out, EventKind::InputRefused, &refusal.to_string()),
        };
        let number = format!("{}/{}", EPOCH.0, self.serial);
        let (kind, phase) = (["voltage", "current"], ["l1", "l2", "l3"]);
        let (kind, phase) = (kind[trigger.channel / PHASES], phase[trigger.channel % PHASES]);
        let alert = Alert {
            kind: RECORDED,
            level: AlertLevel::Warning,
            text: format!("the {kind} of {phase} triggered; block {number} of {samples} samples"),
            facts: vec![
                (fact::KIND, kind.to_owned()),
                (fact::PHASE, phase.to_owned()),
                (fact::BLOCK, number),
            ],
        };
        self.parts.outlet.send(payload, out);
        self.parts.outlet.alert(since(trigger.sample), alert, out);
    }
}

/// What its channels measure, in their order.
fn identifiers() -> impl Iterator<Item = MeasurementId> {
    let phases = [Phase::L1, Phase::L2, Phase::L3];
    let quantities = [Quantity::VoltageInstant, Quantity::CurrentInstant];
    let of = move |quantity| phases.into_iter().map(move |phase| (quantity, phase));
    quantities
        .into_iter()
        .flat_map(of)
        .filter_map(|(quantity, phase)| MeasurementId::of(quantity, phase))
}

impl Device for FaultRecorder {
    fn feed(&self) -> Feed {
        Feed::Samples { rate_hz: self.parts.rate_hz }
    }

    fn quantities(&self) -> &[MeasurementId] {
        &[]
    }

    /// It takes none.
    fn validate_command(
        &self,
        command: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Option<CommandFault> {
        let refused = CommandFault::refused(None, NO_COMMANDS.to_owned());
        Some(understood(command, parameters).err().unwrap_or(refused))
    }

    fn report_period(&self) -> SimDuration {
        NEVER
    }

    fn step(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Samples { first_sample, rate_hz, block } => {
                self.samples(first_sample, rate_hz, &block, out);
            }
            Input::Received { payload } => {
                if let Some((invocation, _)) = self.parts.outlet.received(now, &payload, out) {
                    let refused = Err(NO_COMMANDS.to_owned());
                    self.parts.outlet.answer(now, invocation, refused, out);
                }
            }
            other => self.parts.outlet.take(now, other, out),
        }
    }

    fn unacknowledged(&self) -> usize {
        self.parts.outlet.unacknowledged()
    }
}

/// The answer to every command.
const NO_COMMANDS: &str = "a recorder takes no commands";
