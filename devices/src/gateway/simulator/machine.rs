//! The adapter as a state machine: frames, reporting periods, outbox.

mod dating;
mod fed;
mod gathering;
mod reloading;
mod watching;

use std::collections::BTreeMap;

use lastmeter_rts::point_map::{Plausibility, Point, PointDirection, PointMap, StatusRole, shown};
use lastmeter_rts::{
    RateCounts, Refusal, Rejection, Sample, SequenceEvent, SequenceWatch, Value, Wire,
};
use lastmeter_units::{HardwareId, SimDuration, SimTime};
use lastmeter_wire::flexmeter::{AlertLevel, fact};

use self::gathering::Gathered;
use super::super::record::MeterState;
use super::super::store::Store;
use super::feeding::Feeds;
use super::raw::RawSamples;
use super::waveforms::Waveforms;
use super::writable::{CommandAnswer, WriteOutcome};
use super::writing::{WriteSettings, Writer};
use crate::answer::{CommandDesk, ERROR_PREFIX, ReceivedCommand};
use crate::gateway::metric::is_power_of_ten;
use crate::gateway::{
    Gateway, GatewayEventKind as Kind, GatewayInput, GatewayOutput, Metric, Out, event, event_about,
};
use crate::message::{self, Alert};

/// Of the points that the simulator sends.
const FROM: PointDirection = PointDirection::FromSimulator;

/// A simulator's clock that goes back by more was set again; less is a sample that came late.
const CLOCK_STEP_MIN: SimDuration = SimDuration::from_seconds(10);

/// How long samples of a period that is over by the simulator's clock are waited for.
const LATE_MAX: SimDuration = SimDuration::from_milliseconds(200);

lastmeter_units::words! {
    /// What becomes of the samples of a reporting period.
    pub(super) enum Reduction {
        /// Their mean; of registers the last.
        Mean = "mean",
        /// The last sample of the period.
        Last = "last",
    }
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) hardware_id: HardwareId,
    pub(super) start: SimTime,
    pub(super) every: SimDuration,
    pub(super) silent_after: SimDuration,
    pub(super) reduction: Reduction,
    pub(super) nominal_hz: f64,
    pub(super) map_file: String,
    /// Whether frames come one after another in a stream.
    pub(super) is_stream: bool,
    pub(super) map: PointMap,
    pub(super) wire: Wire,
    pub(super) raw: RawSamples,
    pub(super) store: Store,
    /// What was kept and cannot be read.
    pub(super) refused_records: Vec<String>,
    pub(super) writing: WriteSettings,
}

/// A device that points stand for.
#[derive(Debug)]
struct Device {
    hardware_id: HardwareId,
    values: Vec<Gathered>,
    /// What is measured of its waveforms, if it has any.
    waveforms: Option<Waveforms>,
    /// Whether the present period has a sample.
    is_sampled: bool,
}

/// Where the value of a point goes.
#[derive(Clone, Copy, Debug)]
struct Slot {
    device: usize,
    value: usize,
}

/// An adapter between a simulator and the platform.
pub(super) struct Adapter {
    parts: Parts,
    devices: Vec<Device>,
    /// For each point that the simulator sends.
    slots: Vec<Option<Slot>>,
    plausibility: Plausibility,
    desk: CommandDesk,
    /// The end of the present reporting period, which its readings are dated by: on the
    /// simulator's clock where samples are dated by it.
    due: SimTime,
    /// When the sample before the present one was taken.
    taken_before: Option<SimTime>,
    /// How far the simulator's clock is ahead, by the last sample.
    ahead: SimDuration,
    /// Samples that came after their period had been reported.
    late_samples: u64,
    /// When it began to work: at its start, or later after a restart.
    begun: Option<SimTime>,
    last_sample: Option<SimTime>,
    /// Values that were left out, by their point.
    left_out: Vec<u64>,
    /// Samples of registers below the one before.
    gone_back: u64,
    /// Whether the simulator's clock was last reported as set.
    reported_clock: Option<bool>,
    writer: Writer,
    feeds: Feeds,
    /// Writes that were held back or refused so far.
    excess: u64,
    sequence: SequenceWatch,
    /// The period in which what frames' numbers show was last reported, and what it was.
    reported_gap: Option<(SimTime, SequenceEvent)>,
    /// Samples that could not go out as they came.
    unsent_samples: u64,
    /// Set-points beside commands: those that were refused, and those that were written.
    sets: Sets,
    readings: u64,
    /// The last sample, and when it was taken.
    latest: Option<(SimTime, Sample)>,
    /// The map that holds from the next border between two frames on.
    next: Option<Box<PointMap>>,
}

/// Set-points that came beside commands.
#[derive(Debug, Default)]
struct Sets {
    written: u64,
    refused: u64,
    /// Whether some are not kept yet.
    is_unkept: bool,
}

impl Adapter {
    /// # Errors
    /// If a device of the map has a name that is no hardware id, or its card takes no such frames.
    pub(super) fn new(parts: Parts) -> Result<Self, String> {
        let (devices, slots) = reloading::devices(&parts.map, parts.nominal_hz)?;
        let kept = &parts.store.points;
        let writer = Writer::new(&parts.map, parts.writing, kept, parts.start);
        let mut feeds = Feeds::new(&parts.map, parts.writing.is_read_only, parts.start);
        let fresh = parts.store.parts().get(fed::PART).map_or(&[][..], Vec::as_slice);
        feeds.resume(fresh);
        Ok(Self {
            writer,
            feeds,
            excess: 0,
            sequence: SequenceWatch::new(u32::BITS),
            reported_gap: None,
            unsent_samples: 0,
            sets: Sets::default(),
            readings: 0,
            latest: None,
            next: None,
            plausibility: Plausibility::new(&parts.map),
            due: parts.start + parts.every,
            taken_before: None,
            ahead: SimDuration::ZERO,
            late_samples: 0,
            left_out: vec![0; slots.len()],
            gone_back: 0,
            devices,
            slots,
            desk: CommandDesk::default(),
            begun: None,
            last_sample: None,
            reported_clock: None,
            parts,
        })
    }

    fn take(&mut self, now: SimTime, input: GatewayInput, out: &mut Out) {
        match input {
            // It is on no CAN bus.
            GatewayInput::Wake | GatewayInput::Wire { .. } | GatewayInput::Page { .. } => {}
            GatewayInput::Answer(answer) => {
                let came = self.feeds.answered(now, &answer);
                self.fed(now, came, out);
            }
            GatewayInput::Flow { topic, payload } => {
                let came = self.feeds.heard(now, &topic, &payload);
                self.fed(now, came, out);
            }
            GatewayInput::Bytes { network: 0, bytes, .. } => {
                let was_lost = self.parts.wire.is_lost();
                for decoded in self.parts.wire.arrived(&bytes) {
                    self.decoded(now, decoded, out);
                }
                // Nobody knows where the next frame begins; on a new connection it is known.
                if self.parts.wire.is_lost() && !was_lost {
                    out.push(GatewayOutput::Reopen { network: 0 });
                }
                self.take_next_map(now, out);
            }
            GatewayInput::Bytes { network, .. } => {
                let detail = format!("bytes of network {network}, expected those of network 0");
                event(out, Kind::InputRefused, detail);
            }
            GatewayInput::LineUp { .. } => {
                for decoded in self.parts.wire.reconnected() {
                    self.decoded(now, decoded, out);
                }
                self.take_next_map(now, out);
                self.sequence.restart();
                self.writer.line_up();
            }
            GatewayInput::LineDown { .. } => self.line_lost(now, out),
            GatewayInput::Command { owner, payload } => self.command(now, &owner, &payload, out),
            GatewayInput::Connected => {
                self.writer.platform(now, true);
                self.parts.store.connected(out);
            }
            GatewayInput::Disconnected => {
                self.writer.platform(now, false);
                self.parts.store.disconnected();
            }
            GatewayInput::Acknowledged { message } => self.parts.store.acknowledged(message),
            GatewayInput::Kept { number } => self.parts.store.kept(number, out),
            GatewayInput::Live { payload } => self.set(now, &payload, out),
            GatewayInput::Frame { is_json, bytes } => self.posted(now, &bytes, is_json, out),
        }
    }

    fn decoded(&mut self, now: SimTime, decoded: Result<Sample, Rejection>, out: &mut Out) {
        match decoded {
            Ok(sample) => {
                self.sample(now, &sample, out);
                self.latest = Some((now + self.ahead, sample));
            }
            Err(Rejection { refusal, detail }) => self.refused(refusal, &detail, out),
        }
    }

    /// Counts a frame that cannot be read; the 1st, 10th, 100th, ... of each reason is reported.
    fn refused(&self, refusal: Refusal, detail: &str, out: &mut Out) {
        let count = self.parts.wire.refusals().of(refusal);
        if is_power_of_ten(count) {
            let detail = format!("{} ({count} so far): {detail}", refusal.word());
            event(out, Kind::AnswerRefused, detail);
        }
    }

    fn sample(&mut self, now: SimTime, sample: &Sample, out: &mut Out) {
        self.heard(now, out);
        let is_new = self.number_of(now, sample, out);
        let mut written = WriteOutcome::default();
        self.writer.seen(now, &sample.values, &mut written);
        self.written(now, written, out);
        if let Some(finding) = self.plausibility.observe(sample) {
            let text = format!("the values do not fit the point map: {finding}");
            event(out, Kind::ValueRefused, text.clone());
            let points = finding.evidence.first().map(|it| (fact::POINT, it.point.clone()));
            let facts = points.into_iter().collect();
            self.alert(now, ("simulator.implausible", AlertLevel::Warning, text), facts, out);
        }
        let taken = self.taken(now, sample, out);
        self.hand_out(taken, sample, out);
        self.ahead = taken - now;
        if taken >= self.due || taken < self.due - self.parts.every - CLOCK_STEP_MIN {
            self.report(self.due, out);
            self.begin_period_of(taken);
        }
        if taken < self.due - self.parts.every {
            self.late_samples += 1;
            let count = self.late_samples;
            if is_power_of_ten(count) {
                let detail = format!("a sample of {taken} came after its period ({count} so far)");
                event(out, Kind::AnswerRefused, detail);
            }
            return;
        }
        let points = self.parts.map.of_direction(PointDirection::FromSimulator);
        let values = points.zip(&sample.values).zip(&self.slots).enumerate();
        let (mut left_out, mut gone_back) = (Vec::new(), Vec::new());
        let since = self.taken_before.map(|before| (taken - before).max(self.sample_period()));
        for (place, ((point, value), slot)) in values {
            let Some(Slot { device, value: at }) = *slot else { continue };
            let Some(si) = in_range(point, *value) else {
                left_out.push((place, point.name.clone(), *value));
                continue;
            };
            let device = &mut self.devices[device];
            if device.values[at].take(si, is_new, point.steepest.zip(since)) {
                gone_back.push(point.name.clone());
            }
            device.is_sampled = true;
        }
        let points: Vec<&Point> = self.parts.map.of_direction(FROM).collect();
        let value = |place: usize| in_range(points.get(place)?, *sample.values.get(place)?);
        for device in &mut self.devices {
            if let Some(waveforms) = &mut device.waveforms {
                waveforms.push(taken, value);
            }
        }
        // By a clock that keeps its rate exactly it is known which sample is the last of a period.
        // Where it jitters, a sample of the next period has to show that this one is over.
        let before = self.taken_before.replace(taken);
        if self.reported_clock == Some(true) && self.is_last_of_period(taken, before) {
            self.report(self.due, out);
            self.due += self.parts.every;
        }
        for point in gone_back {
            self.gone_back(now, point, out);
        }
        self.leave_out(left_out, out);
    }

    /// Values outside of what their points declare, each with its place and name.
    fn leave_out(&mut self, values: Vec<(usize, String, Value)>, out: &mut Out) {
        for (place, name, value) in values {
            self.left_out[place] += 1;
            let count = self.left_out[place];
            if is_power_of_ten(count) {
                let detail = format!(
                    "point `{name}`: {} is outside of its declared range, left out ({count} so far)",
                    shown(value)
                );
                let slot = self.slots[place].as_ref();
                let about = slot.map(|slot| self.devices[slot.device].hardware_id.clone());
                event_about(out, about, Kind::ValueRefused, detail);
            }
        }
    }

    /// A sample has come; a simulator that was silent is reported again.
    fn heard(&mut self, now: SimTime, out: &mut Out) {
        self.last_sample = Some(now);
        let own = self.parts.hardware_id.clone();
        let state = self.parts.store.meter(&own);
        if state.unreachable {
            let name = self.parts.map.simulator.name.clone();
            let text = format!("simulator {name} sends again");
            event(out, Kind::DeviceReachable, text.clone());
            self.parts.store.remember(&own, MeterState { unreachable: false, ..state });
            self.alert(now, ("simulator.sends", AlertLevel::Info, text), Vec::new(), out);
            self.writer.line_up();
            // What was not sent in the meantime has been reported as silence.
            self.sequence.restart();
        }
    }

    /// Reports a simulator that has sent nothing for too long.
    fn watch(&mut self, now: SimTime, out: &mut Out) {
        if self.slots.is_empty() {
            return;
        }
        let Some(since) = self.last_sample.or(self.begun) else { return };
        let own = self.parts.hardware_id.clone();
        let state = self.parts.store.meter(&own);
        if now - since < self.parts.silent_after || state.unreachable {
            return;
        }
        let name = &self.parts.map.simulator.name;
        let seconds = (now - since).as_seconds_f64();
        let text = format!("simulator {name}: no sample for {seconds:.1} s");
        event(out, Kind::DeviceUnreachable, text.clone());
        self.parts.store.remember(&own, MeterState { unreachable: true, ..state });
        let facts = vec![(fact::DURATION_S, (now - since).as_seconds_f64().to_string())];
        self.alert(now, ("simulator.silent", AlertLevel::Warning, text), facts, out);
        self.line_lost(now, out);
    }

    fn line_lost(&mut self, now: SimTime, out: &mut Out) {
        let mut written = WriteOutcome::default();
        self.writer.line_lost(&mut written);
        self.written(now, written, out);
    }

    /// The reporting period that an instant lies in is the present one.
    fn begin_period_of(&mut self, at: SimTime) {
        let every = self.parts.every;
        let periods = (at - self.parts.start).0.div_euclid(every.0.max(1)) + 1;
        self.due = self.parts.start + every * periods;
    }

    /// Reports a period that is over by this machine's clock.
    fn close_period(&mut self, now: SimTime, out: &mut Out) {
        if now < self.ends() {
            return;
        }
        self.report(self.due, out);
        self.begin_period_of(now + self.ahead);
    }

    /// When a period ends by this machine's clock.
    fn ends(&self) -> SimTime {
        let waits = if self.reported_clock == Some(true) { LATE_MAX } else { SimDuration::ZERO };
        self.due - self.ahead + waits
    }

    /// Makes the readings of a period that is over, with this date.
    fn report(&mut self, at: SimTime, out: &mut Out) {
        let reduction = self.parts.reduction;
        // Those that come beside commands may be many: they are kept with the readings.
        if std::mem::take(&mut self.sets.is_unkept) {
            // Dated by this machine, whatever the simulator's clock shows.
            self.keep_written(at - self.ahead, out);
        }
        for place in 0..self.devices.len() {
            let expected = self.parts.every.as_seconds_f64() * self.parts.map.simulator.sample_rate;
            let device = &mut self.devices[place];
            let usable = device.usable(expected, self.parts.every);
            let measured = device.waveforms.as_mut().map(Waveforms::take).unwrap_or_default();
            if !std::mem::take(&mut device.is_sampled) && measured.is_empty() {
                continue;
            }
            let measured = measured.into_iter().map(|(id, si)| (id, si / id.row().si_factor));
            let mut values: Vec<_> = measured.collect();
            for gathered in &mut device.values {
                if gathered.count > 0 {
                    let row = gathered.id.row();
                    values.push((gathered.id, gathered.reduced(reduction) / row.si_factor));
                }
                gathered.begin_anew();
            }
            self.readings += 1;
            let id = device.hardware_id.clone();
            let before = self.parts.store.meter(&id);
            let state = MeterState { serial: before.serial.saturating_add(1), ..before };
            // A simulator does not report whether it began again.
            let number = self.parts.store.number(state.serial);
            let mut message = message::reading(&id, at, number, values);
            if usable < 1.0 {
                message.metadata.insert(fact::USABLE.to_owned(), usable.to_string());
            }
            let payload = message::encoded(&message);
            self.parts.store.put(&id, Some((id.clone(), state)), payload, out);
        }
    }

    fn command(&mut self, now: SimTime, owner: &HardwareId, payload: &[u8], out: &mut Out) {
        let (invocation, order) = match self.desk.judge(payload) {
            Ok(ReceivedCommand::Repeated { invocation, response }) => {
                return self.acknowledge(now, (owner, invocation), response, out);
            }
            Ok(ReceivedCommand::New { invocation, order }) => (invocation, order),
            Err(refusal) => {
                return event(out, Kind::CommandMalformed, format!("for {owner}: {refusal}"));
            }
        };
        let mut written = WriteOutcome::default();
        let taken = order
            .and_then(|order| self.writer.order(now, (owner, &invocation), &order, &mut written));
        if let Err(why) = taken {
            let (owner, result) = (owner.clone(), Err(why));
            written.answers.push(CommandAnswer { owner, invocation, result });
        }
        self.written(now, written, out);
    }

    fn acknowledge(
        &mut self,
        now: SimTime,
        (owner, invocation): (&HardwareId, String),
        response: String,
        out: &mut Out,
    ) {
        let payload = message::answer(owner, now, invocation, response);
        self.parts.store.put(owner, None, payload, out);
    }

    /// Lets the writer do what is due, and does what follows from it.
    fn write(&mut self, now: SimTime, out: &mut Out) {
        let mut written = WriteOutcome::default();
        self.writer.run(now, &mut written);
        self.written(now, written, out);
        let RateCounts { refused, .. } = self.writer.counts();
        let thinned = self.writer.thinned;
        let excess = thinned + refused;
        if excess > self.excess {
            self.excess = excess;
            if is_power_of_ten(excess) {
                let text = format!(
                    "writes come faster than the card takes frames: {thinned} had to wait, \
                     {refused} refused so far"
                );
                event(out, Kind::WritesThinned, text.clone());
                if excess == 1 {
                    let facts =
                        vec![(fact::COMPONENT, "card".into()), (fact::COUNT, excess.to_string())];
                    let kind = "simulator.overload";
                    self.alert(now, (kind, AlertLevel::Warning, text), facts, out);
                }
            }
        }
    }

    fn written(&mut self, now: SimTime, written: WriteOutcome, out: &mut Out) {
        // What is to be written is kept first: a restart in between writes it again.
        if written.has_new_targets {
            self.keep_written(now, out);
        }
        self.sets.is_unkept |= written.has_followed;
        for (point, text) in written.log {
            event(out, Kind::PointWritten, text.clone());
            let facts = vec![(fact::POINT, point)];
            self.alert(now, ("simulator.written", AlertLevel::Info, text), facts, out);
        }
        for (owner, text) in written.unreflected {
            event_about(out, Some(owner), Kind::NotReflected, text);
        }
        if written.is_safe_now {
            let text = "the platform is gone: all points get their safe values".to_owned();
            self.alert(now, ("simulator.safe", AlertLevel::Error, text), Vec::new(), out);
        }
        if let Some(sample) = written.frame {
            match self.parts.wire.frame(sample) {
                Ok(bytes) => {
                    let (network, lane, bits_per_second) = (0, None, 0);
                    out.push(GatewayOutput::Bytes { network, lane, bits_per_second, bytes });
                }
                Err(Rejection { refusal, detail }) => {
                    let detail = format!("what is written, {}: {detail}", refusal.word());
                    event(out, Kind::InputRefused, detail);
                }
            }
        }
        for CommandAnswer { owner, invocation, result } in written.answers {
            let response = match result {
                Ok(response) => response,
                Err(why) => {
                    event(out, Kind::CommandRefused, format!("{invocation} for {owner}: {why}"));
                    format!("{ERROR_PREFIX}{why}")
                }
            };
            self.desk.answered(&invocation, &response);
            self.acknowledge(now, (&owner, invocation), response, out);
        }
    }

    /// Watches the numbers of frames: those of the format, or of the point of role `sequence`.
    /// Whether the frame is another one than the last, as far as it is numbered.
    fn number_of(&mut self, now: SimTime, sample: &Sample, out: &mut Out) -> bool {
        let place = self.parts.map.position_of_role(FROM, StatusRole::Sequence);
        let word = || sample.values.get(place?)?.finite();
        let Some(sequence) = sample.sequence.or_else(|| Some(word()? as i64 as u64)) else {
            return true;
        };
        let missing = self.sequence.missing();
        let seen = self.sequence.observe(sequence);
        let mut facts = vec![(fact::FRAME, sequence.to_string())];
        let text = match seen {
            SequenceEvent::Gap => {
                let more = self.sequence.missing() - missing;
                facts.push((fact::COUNT, more.to_string()));
                format!("{more} frames are missing before number {sequence}")
            }
            SequenceEvent::Repetition => format!("frame {sequence} came again"),
            SequenceEvent::Restart => format!("frames are numbered from {sequence} again"),
            _ => return true,
        };
        let count = self.sequence.of(seen);
        if is_power_of_ten(count) {
            event(out, Kind::FramesMissing, format!("{text} ({count} times so far)"));
        }
        let kind =
            if seen == SequenceEvent::Repetition { "simulator.stale" } else { "simulator.gap" };
        // One in a reporting period: a flood of them is no flood of alerts.
        if self.reported_gap != Some((self.due, seen)) {
            self.reported_gap = Some((self.due, seen));
            self.alert(now, (kind, AlertLevel::Warning, text), facts, out);
        }
        seen != SequenceEvent::Repetition
    }

    fn alert(
        &mut self,
        now: SimTime,
        (kind, level, text): (&'static str, AlertLevel, String),
        mut facts: Vec<(&'static str, String)>,
        out: &mut Out,
    ) {
        let own = self.parts.hardware_id.clone();
        facts.push((fact::KIND, kind.trim_start_matches("simulator.").to_owned()));
        facts.push((fact::SIMULATOR, self.parts.map.simulator.name.clone()));
        let state = self.parts.store.meter(&own);
        let alert = Alert { kind, level, text, facts };
        self.parts.store.put_alert((&self.parts.hardware_id, now), alert, (own, state), out);
    }
}

/// The value of a point in its SI unit, if it is one within its declared range.
fn in_range(point: &Point, value: Value) -> Option<f64> {
    let word = value.finite()?;
    // 32-bit floats round at the ends of a range.
    let is_within = |(least, greatest): (f64, f64)| {
        let slack = 1e-6 * least.abs().max(greatest.abs());
        (least - slack..=greatest + slack).contains(&word)
    };
    point.word_range().is_none_or(is_within).then(|| point.to_si(word))
}

impl Gateway for Adapter {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        for detail in std::mem::take(&mut self.parts.refused_records) {
            event(out, Kind::RecordRefused, detail);
        }
        // What is due goes out before what comes now: it belongs to the next period.
        if now >= self.parts.start {
            self.begun.get_or_insert(now);
            self.close_period(now, out);
            self.watch(now, out);
        }
        self.take(now, input, out);
        if self.begun.is_some() {
            self.feed(now, out);
            self.write(now, out);
        }
        self.parts.store.settle(true, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        let Some(begun) = self.begun else { return Some(self.parts.start) };
        let is_reported = self.parts.store.meter(&self.parts.hardware_id).unreachable;
        let silent = self.last_sample.unwrap_or(begun) + self.parts.silent_after;
        let silent = Some(silent).filter(|_| !is_reported && !self.slots.is_empty());
        let own = self.writer.wake_at().into_iter().chain(self.feeds.wake_at());
        own.chain(silent).chain([self.ends()]).min()
    }

    fn unacknowledged(&self) -> usize {
        self.parts.store.unacknowledged()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.counts()
    }

    fn points(&self) -> Option<Vec<u8>> {
        self.latest.as_ref().map(|(taken, sample)| self.parts.raw.shown(*taken, sample))
    }

    fn set_points(&self) -> Option<Vec<u8>> {
        Some(self.writer.shown())
    }

    /// When it asks the platform: the answer is then of all that was before.
    fn settles_at(&self) -> Option<SimTime> {
        self.feeds.next_poll()
    }

    fn reload(
        &mut self,
        now: SimTime,
        files: &BTreeMap<String, String>,
        out: &mut Vec<GatewayOutput>,
    ) -> Result<(), Vec<String>> {
        self.read_again(now, files, out)
    }
}
