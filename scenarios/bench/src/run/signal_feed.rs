//! Feeds a device the plant: samples in blocks, the spectrum of its terminal, or what its pipe
//! carries or its room is like.
//!
//! How the data is cut does not change what a device makes of it, so the runner cuts as it suits
//! its clock: in whole blocks in virtual time, up to the present instant in real time.

use lastmeter_devices::{Device, Feed, Input, Output};
use lastmeter_sim::{Block, MeteringPoint, Terminal};
use lastmeter_units::{SimDuration, SimTime};

/// Samples rendered and handed over at once.
const BLOCK_SAMPLES: usize = 4096;

/// The plant's side of one device.
pub struct SignalFeed {
    point: MeteringPoint,
    start: SimTime,
    now: SimTime,
    next_sample: u64,
    block: Block,
}

impl SignalFeed {
    pub(crate) fn new(point: MeteringPoint, start: SimTime) -> Self {
        let block = Block::default();
        Self { point, start, now: start, next_sample: 0, block }
    }

    /// Up to when the device has been fed.
    pub(crate) fn now(&self) -> SimTime {
        self.now
    }

    /// When the device has seen the next change of its pipe or room, at the earliest; one that lies
    /// at the very end of what it has seen is still to come.
    pub(crate) fn next_change(&self) -> Option<SimTime> {
        let seen = self.now - self.start - SimDuration(1);
        let until = self.point.pipe(seen.max(SimDuration::ZERO))?.until?;
        Some(self.start + until + SimDuration(1))
    }

    /// Feeds one piece, at most up to and including an instant.
    pub(crate) fn step(&mut self, device: &mut dyn Device, until: SimTime, out: &mut Vec<Output>) {
        match device.feed() {
            Feed::Samples { rate_hz } => self.samples(device, rate_hz, until, out),
            Feed::Spectrum => self.spectrum(device, until, out),
            Feed::Pipe => self.pipe(device, until, out),
            Feed::Nothing => self.now = until,
            Feed::Clock => {
                self.now = until;
                device.step(until, Input::Passed, out);
            }
        }
    }

    /// The terminal of a device that asks for samples or a spectrum.
    fn terminal(&self) -> &Terminal {
        self.point.terminal().expect("checked when the scenario was loaded")
    }

    /// Feeds everything up to and including an instant.
    pub fn run_to(&mut self, device: &mut dyn Device, until: SimTime, out: &mut Vec<Output>) {
        while self.now < until {
            self.step(device, until, out);
        }
    }

    fn samples(
        &mut self,
        device: &mut dyn Device,
        rate_hz: f64,
        until: SimTime,
        out: &mut Vec<Output>,
    ) {
        let span = until - self.start;
        // Sample k belongs to t = k / rate; the last one fed lies before `until`.
        let end = (span.as_seconds_f64() * rate_hz).ceil().max(0.0) as u64;
        let samples = BLOCK_SAMPLES.min(end.saturating_sub(self.next_sample) as usize);
        let first_sample = self.next_sample;
        self.next_sample += samples as u64;
        self.now = if self.next_sample >= end {
            until
        } else {
            let seconds = self.next_sample as f64 / rate_hz;
            (self.start + SimDuration::from_seconds_f64(seconds)).min(until)
        };
        let mut block = std::mem::take(&mut self.block);
        self.terminal().render(first_sample, rate_hz, samples, &mut block);
        device.step(self.now, Input::Samples { first_sample, rate_hz, block }, out);
    }

    fn spectrum(&mut self, device: &mut dyn Device, until: SimTime, out: &mut Vec<Output>) {
        // Asked for again each time: a breaker may have changed what lies ahead.
        let span = self.terminal().spectrum_at(self.now - self.start);
        let span = span.expect("checked when the scenario was loaded");
        // A change of the terminal is a border between two messages.
        self.now = span.until.map_or(until, |end| until.min(self.start + end));
        let spectrum = span.spectrum;
        let (until, celsius) = (self.now - self.start, span.temperature_celsius);
        device.step(self.now, Input::Spectrum { until, spectrum, celsius }, out);
    }

    fn pipe(&mut self, device: &mut dyn Device, until: SimTime, out: &mut Vec<Output>) {
        let at = self.now - self.start;
        let stretch = self.point.pipe(at).expect("checked when the scenario was loaded");
        // A change in the pipe is a border between two messages.
        self.now = stretch.until.map_or(until, |end| until.min(self.start + end));
        let input = Input::Pipe { until: self.now - self.start, state: stretch.state };
        device.step(self.now, input, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmeter_params::{Diagnostics, read_text};
    use lastmeter_sim::{SOURCES, SourceContext, Streams};

    /// A room that is opened after a minute, for half a minute.
    fn room() -> MeteringPoint {
        let kind = SOURCES.iter().find(|kind| kind.entry.name == "room").unwrap();
        let text = "profile = \"steady\"\ntemperature_variation = \"0 K\"\n\
                    open = [{ at = \"1 min\", for = \"30 s\" }]";
        let (values, streams) = (read_text(text, &[kind.entry.fields]).unwrap(), Streams::new(1));
        let context = SourceContext {
            name: "r",
            streams: &streams,
            start: SimTime(0),
            duration: SimDuration::from_seconds(600),
            read_file: &|_| Err(String::new()),
        };
        let signal = (kind.build)(&values, &context, &mut Diagnostics::new()).unwrap();
        signal.metering_point("r", &streams).unwrap()
    }

    #[test]
    fn a_change_is_to_come_until_it_was_seen() {
        let mut feed = SignalFeed::new(room(), SimTime(0));
        let at = |seconds: i64, more: i64| SimTime(seconds * 1_000_000_000 + more);
        for (now, next) in [
            (at(0, 0), Some(at(60, 1))),
            (at(60, 0), Some(at(60, 1))),
            (at(60, 1), Some(at(90, 1))),
            (at(90, 1), None),
        ] {
            feed.now = now;
            assert_eq!(feed.next_change(), next, "{now}");
        }
    }
}
