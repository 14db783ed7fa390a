//! A real-time simulator of our own: a network that is solved step by step, its values sent as
//! frames by a point map, and what is written to it obeyed.
//!
//! It stands where a rack of RTDS or OPAL-RT would stand: at the other end of a point map, knowing
//! nothing of the adapter. Sans-I/O as a device: bytes and instants come in, frames go out.
//!
//! Terms: a *frame instant* is start + k / `sample_rate`; the network is solved once for each of
//! its steps, and between them all frames carry the same values; a point *shows* something of the
//! plant, or *drives* something in it.

mod fault;
mod point;
#[cfg(test)]
mod tests;
mod value;

use lastmeter_rts::point_map::{PointDirection, PointMap, StatusRole};
use lastmeter_rts::{Rejection, Sample, Value, Wire};
use lastmeter_sim::grid::{GridInput, LiveGrid, Operation};
use lastmeter_units::{SimDuration, SimTime};

pub use fault::EndpointFault;
use fault::Faults;
pub use point::{Driven, Shown};
pub use value::Probe;

lastmeter_units::words! {
    /// What a simulator notes.
    pub enum EndpointEventKind in files {
        /// What was written to it changed something in the plant.
        InputApplied = "input_applied",
        /// What was written to it was no frame, or changes nothing that there is.
        InputRefused = "input_refused",
        /// What was written to it was not obeyed, as it is operated by hand.
        InputIgnored = "input_ignored",
        /// The network has no solution any more: it stands still.
        NoSolution = "no_solution",
        /// Frames could not be made.
        FrameRefused = "frame_refused",
        /// A fault that was asked for has begun.
        FaultBegun = "fault_begun",
    }
}

/// What reaches a simulator.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointInput {
    /// The instant that [`Endpoint::wake_at`] named.
    Wake,
    /// Bytes that were written to it: a datagram, or any piece of a stream.
    Bytes(Vec<u8>),
    /// Somebody is at the other end again.
    LineUp,
    /// Something happens in the plant.
    Grid(GridInput),
    /// Something goes wrong inside the simulator, on purpose.
    Fault(EndpointFault),
}

/// What a simulator does.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointOutput {
    /// It sends a frame.
    Frame {
        /// The instant whose values it has.
        taken: SimTime,
        /// One frame of the map's wire format.
        bytes: Vec<u8>,
    },
    /// Something for the record.
    Event {
        /// The kind of event.
        kind: EndpointEventKind,
        /// More about it, for people.
        detail: String,
    },
    /// Something was done to an element of its network.
    Operated(Operation),
}

/// What a simulator is made of.
#[derive(Debug)]
pub struct EndpointSetup {
    /// The points, with the wire format.
    pub map: PointMap,
    /// Whether frames go in a stream of bytes, and not each in a datagram.
    pub is_stream: bool,
    /// The network that the simulator solves.
    pub grid: LiveGrid,
    /// When it begins.
    pub start: SimTime,
    /// When it ends: from then on it sends nothing; `None`: never.
    pub end: Option<SimTime>,
    /// What each point that it sends shows, in the order of the map.
    pub shows: Vec<Shown>,
    /// What each point that it takes drives, in the order of the map.
    pub drives: Vec<Driven>,
}

/// The simulator's end of the line.
#[derive(Debug)]
pub struct Endpoint {
    setup: EndpointSetup,
    wire: Wire,
    /// The number of the next frame.
    next_frame: u64,
    /// What was written last, as words; `None` before the first frame.
    written: Vec<Option<f64>>,
    faults: Faults,
    /// The measured words of the last frame, which a stale simulator repeats.
    last_words: Vec<f64>,
    /// Why it stands still.
    stands_still: bool,
    refused: u64,
}

type Out = Vec<EndpointOutput>;

fn event(out: &mut Out, kind: EndpointEventKind, detail: String) {
    out.push(EndpointOutput::Event { kind, detail });
}

impl Endpoint {
    /// A simulator at its start.
    ///
    /// # Errors
    /// If the map's points make no frames, or what its points show or drive does not fit them.
    pub fn new(setup: EndpointSetup) -> Result<Self, String> {
        let wire = Wire::of_simulator(&setup.map, setup.is_stream).map_err(|e| e.to_string())?;
        let count = |direction| setup.map.of_direction(direction).count();
        let (sent, taken) =
            (count(PointDirection::FromSimulator), count(PointDirection::ToSimulator));
        if (setup.shows.len(), setup.drives.len()) != (sent, taken) {
            return Err(format!(
                "found {} points that show and {} that drive something, expected {sent} and {taken}",
                setup.shows.len(),
                setup.drives.len()
            ));
        }
        Ok(Self {
            written: vec![None; taken],
            last_words: Vec::new(),
            faults: Faults::default(),
            next_frame: 0,
            stands_still: false,
            refused: 0,
            wire,
            setup,
        })
    }

    /// The network with all that has flowed in it.
    pub const fn grid(&self) -> &LiveGrid {
        &self.setup.grid
    }

    fn instant(&self, frame: u64) -> SimTime {
        let seconds = frame as f64 / self.setup.map.simulator.sample_rate;
        self.setup.start + SimDuration::from_seconds_f64(seconds)
    }

    /// When it wants [`EndpointInput::Wake`] next: its next frame.
    pub fn wake_at(&self) -> Option<SimTime> {
        let at = self.instant(self.next_frame);
        (self.setup.end.is_none_or(|end| at < end) && !self.stands_still).then_some(at)
    }

    /// The time between two frames.
    pub fn period(&self) -> SimDuration {
        SimDuration::from_seconds_f64(1.0 / self.setup.map.simulator.sample_rate)
    }

    /// The instants of the frames that are due up to an instant.
    pub fn due_until(&self, until: SimTime) -> impl Iterator<Item = SimTime> {
        let last = self.setup.end.map_or(until, |end| until.min(end - SimDuration(1)));
        let is_due = move |at: &SimTime| *at <= last && !self.stands_still;
        (self.next_frame..).map(|frame| self.instant(frame)).take_while(is_due)
    }

    /// Leaves out the frames that were due before an instant, as a simulator does that could not
    /// keep up; how many. The network is solved for them all the same.
    pub fn skip_to(&mut self, at: SimTime) -> u64 {
        let mut skipped = 0;
        while self.wake_at().is_some_and(|due| due < at) {
            self.next_frame += 1;
            skipped += 1;
        }
        skipped
    }

    /// Takes one input and appends what follows from it. Frames that were due before an instant
    /// go out before what happens at it.
    pub fn step(&mut self, now: SimTime, input: EndpointInput, out: &mut Out) {
        let is_wake = matches!(input, EndpointInput::Wake);
        while self.wake_at().is_some_and(|at| at < now || (is_wake && at == now)) {
            self.frame(out);
        }
        match input {
            EndpointInput::Wake => {}
            EndpointInput::Bytes(bytes) => {
                for decoded in self.wire.arrived(&bytes) {
                    match decoded {
                        Ok(sample) => self.obey(now, &sample, out),
                        Err(rejection) => self.refuse(&rejection, out),
                    }
                }
            }
            EndpointInput::LineUp => {
                for decoded in self.wire.reconnected() {
                    if let Err(rejection) = decoded {
                        self.refuse(&rejection, out);
                    }
                }
            }
            EndpointInput::Grid(input) => self.apply(input, "injected".to_owned(), out),
            EndpointInput::Fault(fault) => {
                let detail = fault.to_string();
                self.faults.begin(fault);
                event(out, EndpointEventKind::FaultBegun, detail);
            }
        }
    }

    fn refuse(&mut self, rejection: &Rejection, out: &mut Out) {
        self.refused += 1;
        if self.refused.is_power_of_two() {
            let detail = format!(
                "{} ({} frames so far): {}",
                rejection.refusal.word(),
                self.refused,
                rejection.detail
            );
            event(out, EndpointEventKind::InputRefused, detail);
        }
    }

    /// Puts what was written into the plant, as far as it changes something.
    fn obey(&mut self, now: SimTime, sample: &Sample, out: &mut Out) {
        let is_manual = self.faults.is_manual(now);
        let points = self.setup.map.of_direction(PointDirection::ToSimulator);
        let mut inputs = Vec::new();
        for (place, (point, value)) in points.zip(&sample.values).enumerate() {
            let Some(word) = value.finite() else { continue };
            if self.written[place] == Some(word) || is_manual {
                continue;
            }
            self.written[place] = Some(word);
            let driven = &self.setup.drives[place];
            if let Some(input) = driven.input(point.to_si(word)) {
                let detail = format!("point `{}` = {word}: {}", point.name, driven);
                inputs.push((input, detail));
            }
        }
        for (input, detail) in inputs {
            self.apply(input, detail, out);
        }
        if is_manual {
            let detail = "a frame was written while the simulator is operated by hand".to_owned();
            event(out, EndpointEventKind::InputIgnored, detail);
        }
    }

    fn apply(&mut self, input: GridInput, what: String, out: &mut Out) {
        match self.setup.grid.apply(input) {
            Ok(()) => event(out, EndpointEventKind::InputApplied, what),
            Err(error) => {
                event(out, EndpointEventKind::InputRefused, format!("{what}: {error}"));
            }
        }
    }

    /// Sends the next frame, after the steps of the network that begin by then.
    fn frame(&mut self, out: &mut Out) {
        let taken = self.instant(self.next_frame);
        let number = self.next_frame;
        self.next_frame += 1;
        if !self.solve(taken, out) {
            return;
        }
        let words = self.words(taken, number);
        let is_lost = self.faults.is_lost(taken, number);
        let points = self.setup.map.of_direction(PointDirection::FromSimulator);
        let values =
            points.zip(&words).map(|(point, word)| Value::of_word(*word, point.signal_type));
        let sample = Sample { sequence: None, origin: Some(unix(taken)), values: values.collect() };
        self.last_words = words;
        match self.wire.frame(sample) {
            Ok(bytes) if !is_lost && !self.faults.is_silent(taken) => {
                out.push(EndpointOutput::Frame { taken, bytes });
            }
            Ok(_) => {}
            Err(rejection) => {
                self.refused += 1;
                if self.refused.is_power_of_two() {
                    let detail = format!("{}: {}", rejection.refusal.word(), rejection.detail);
                    event(out, EndpointEventKind::FrameRefused, detail);
                }
            }
        }
    }

    /// Solves all steps that begin up to an instant; whether there are solutions.
    fn solve(&mut self, at: SimTime, out: &mut Out) -> bool {
        let step = self.setup.grid.raster().step.0.max(1);
        let due = (at - self.setup.start).0.div_euclid(step);
        while i64::try_from(self.setup.grid.next_step()).is_ok_and(|next| next <= due) {
            if let Err(failure) = self.setup.grid.step() {
                self.stands_still = true;
                event(out, EndpointEventKind::NoSolution, failure.to_string());
                return false;
            }
            out.extend(self.setup.grid.news().into_iter().map(EndpointOutput::Operated));
            for shown in &mut self.setup.shows {
                if let Shown::Value(probe) = shown {
                    probe.count(SimDuration(step));
                }
            }
        }
        true
    }

    /// The words of a frame.
    fn words(&self, taken: SimTime, number: u64) -> Vec<f64> {
        let is_stale = self.faults.is_stale(taken) && !self.last_words.is_empty();
        let (seconds, nanoseconds) = unix(taken);
        // A frame has what holds until the next one: registers what they will have counted then.
        let step = self.setup.grid.raster().step;
        let begun = step * (self.setup.grid.next_step() as i64 - 1).max(0);
        let until = self.instant(number + 1) - self.setup.start;
        let into_step = (until - begun).min(step);
        let points = self.setup.map.of_direction(PointDirection::FromSimulator);
        let word = |(place, (point, shown)): (usize, (_, &Shown))| {
            let point: &lastmeter_rts::point_map::Point = point;
            match shown {
                Shown::Status(StatusRole::Sequence) => number as f64,
                Shown::Status(StatusRole::Seconds) => seconds as f64,
                Shown::Status(StatusRole::Nanoseconds) => f64::from(nanoseconds),
                Shown::Status(StatusRole::Mode) => {
                    f64::from(u8::from(!self.faults.is_manual(taken)))
                }
                Shown::Status(StatusRole::NewData | StatusRole::Ready) => 1.0,
                Shown::Status(StatusRole::SocketOverflow | StatusRole::InvalidMessage) => 0.0,
                Shown::Echo(place) => self.written[*place].unwrap_or(0.0),
                Shown::Breaker(at) => f64::from(u8::from(self.setup.grid.is_closed(*at))),
                Shown::Word(word) => *word,
                Shown::Value(..) | Shown::Waveform(..) if is_stale => self.last_words[place],
                Shown::Value(probe) => point.to_word(probe.value(into_step).unwrap_or(f64::NAN)),
                Shown::Waveform(live, channel) => {
                    let at = taken - self.setup.start;
                    let value = value::instantaneous(live, *channel, at);
                    point.to_word(value.unwrap_or(f64::NAN))
                }
            }
        };
        points.zip(&self.setup.shows).enumerate().map(word).collect()
    }
}

/// Seconds and nanoseconds of Unix time.
fn unix(at: SimTime) -> (u64, u32) {
    let (seconds, nanoseconds) = (at.0.div_euclid(1_000_000_000), at.0.rem_euclid(1_000_000_000));
    (u64::try_from(seconds).unwrap_or(0), u32::try_from(nanoseconds).unwrap_or(0))
}
