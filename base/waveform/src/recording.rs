//! What every reader of this package gives and every writer takes: channels sampled together.
//!
//! Terms: a *gap* is a run of samples the file marks as missing; the samples there are a straight
//! line between the neighbours, so that no consumer meets a NaN. *Skew* is how much later than the
//! common instant a channel was sampled; readers correct it. Nothing here reads or writes bytes.

use lastmeter_units::SimTime;

use crate::gaps;

lastmeter_units::words! {
    /// What a channel measures, by its unit.
    #[derive(Default)]
    pub enum ChannelKind {
        /// A voltage; its samples are in volts.
        Voltage = "voltage",
        /// A current; its samples are in amperes.
        Current = "current",
        /// Anything else; its samples are in the channel's unit.
        #[default]
        Other = "other",
    }
}

/// One analogue channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// The channel's name as the file gives it.
    pub name: String,
    /// `a`, `b`, `c` or `n` where the file's spelling (A, L1, R, ...) or the name states it, else
    /// the file's own text in lower case, else empty.
    pub phase: String,
    /// The unit of `samples`: `V`, `A`, another SI unit without prefix, or the file's own text.
    pub unit: String,
    /// Voltage, current or other.
    pub kind: ChannelKind,
    /// How much later than the recording's sampling instants this channel was sampled, in seconds
    /// (COMTRADE `skew`): the reader has corrected it, the samples are those of the common
    /// instants.
    pub skew_s: f64,
    /// SI primary values, one per sampling instant, always finite.
    pub samples: Vec<f64>,
}

/// One digital (status) channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigitalChannel {
    /// The channel's name as the file gives it.
    pub name: String,
    /// The state in normal service.
    pub normal: bool,
    /// One state per sampling instant.
    pub states: Vec<bool>,
}

/// A run of samples the file marks as missing, filled by a straight line between the neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Index into [`Recording::channels`].
    pub channel: usize,
    /// Index of the first missing sample.
    pub first_sample: usize,
    /// How many samples are missing.
    pub samples: usize,
}

/// A note that the recording is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Index into [`Recording::channels`] where it is about one of them, else all are meant.
    pub channel: Option<usize>,
    /// The note, which stands in [`Recording::notes`] as well.
    pub note: String,
}

/// Channels sampled together at one rate. Readers guarantee that all channels are equally long,
/// that every sample is finite and that the rate is finite and positive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The instant of the first sample, where the file states it.
    pub start: Option<SimTime>,
    /// Samples per second.
    pub rate_hz: f64,
    /// The nominal frequency of the system, where the file states it. A header may be wrong about
    /// it: the waveform does not follow from it.
    pub nominal_hz: Option<f64>,
    /// The analogue channels in the file's order.
    pub channels: Vec<Channel>,
    /// The digital channels in the file's order.
    pub digital: Vec<DigitalChannel>,
    /// The runs of missing samples, by channel, then by sample.
    pub gaps: Vec<Gap>,
    /// What a reader of the results should know, one sentence each: irregular time steps, gaps,
    /// assumptions about the file.
    pub notes: Vec<String>,
    /// The notes on what is missing or wrong: whoever plays the recording as
    /// if it were whole has to report them.
    pub damage: Vec<Damage>,
}

impl Recording {
    /// Notes that something is missing or wrong, in one channel or in all.
    pub(crate) fn note_damage(&mut self, channel: Option<usize>, note: String) {
        self.notes.push(note.clone());
        self.damage.push(Damage { channel, note });
    }

    /// The number of sampling instants.
    pub fn samples(&self) -> usize {
        let analogue = self.channels.first().map(|channel| channel.samples.len());
        analogue.or_else(|| self.digital.first().map(|d| d.states.len())).unwrap_or(0)
    }

    /// The time the recording covers, in seconds: samples divided by rate, so the last sample
    /// counts with a whole step. Zero for a rate that is not positive.
    pub fn duration_s(&self) -> f64 {
        if self.rate_hz > 0.0 { self.samples() as f64 / self.rate_hz } else { 0.0 }
    }

    /// Turns NaN and infinite samples into noted gaps filled by straight lines (held at the ends,
    /// zero where a channel has no sample at all).
    pub(crate) fn close_gaps(&mut self) {
        let mut notes = Vec::new();
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let first_gap = self.gaps.len();
            fill(index, &mut channel.samples, &mut self.gaps);
            let found = &self.gaps[first_gap..];
            if let Some(first) = found.first() {
                let missing: usize = found.iter().map(|gap| gap.samples).sum();
                let note = gaps::note(
                    &channel.name,
                    missing as u64,
                    channel.samples.len() as u64,
                    found.len() as u64,
                    first.first_sample as u64,
                );
                notes.push((index, note));
            }
        }
        for (index, note) in notes {
            self.note_damage(Some(index), note);
        }
    }
}

/// Fills the runs of samples that are not finite and appends them to `gaps`.
fn fill(channel: usize, samples: &mut [f64], gaps: &mut Vec<Gap>) {
    let mut at = 0;
    while let Some(run) = gaps::next_run(samples, at) {
        let before = run.start.checked_sub(1).map(|before| samples[before]);
        let ends = gaps::ends(before, samples.get(run.end).copied());
        gaps::line(&mut samples[run.clone()], ends, 0, run.len() as u64);
        gaps.push(Gap { channel, first_sample: run.start, samples: run.len() });
        at = run.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_become_straight_lines_and_are_listed() {
        let nan = f64::NAN;
        let mut recording = Recording {
            rate_hz: 2.0,
            channels: vec![
                Channel { samples: vec![nan, 1.0, nan, nan, 4.0, nan], ..Channel::default() },
                Channel { samples: vec![nan; 6], ..Channel::default() },
                Channel { samples: vec![5.0; 6], ..Channel::default() },
            ],
            ..Recording::default()
        };
        recording.close_gaps();
        assert_eq!(recording.channels[0].samples, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(recording.channels[1].samples, [0.0; 6]);
        let spans: Vec<_> =
            recording.gaps.iter().map(|g| (g.channel, g.first_sample, g.samples)).collect();
        assert_eq!(spans, [(0, 0, 1), (0, 2, 2), (0, 5, 1), (1, 0, 6)]);
        assert_eq!(recording.notes.len(), 2);
        assert!(recording.notes[0].contains("4 of 6 samples are missing, in 3 gap(s)"));
        assert!(recording.notes[1].contains("all 6 samples are missing; it is taken as zero"));
    }

    #[test]
    fn the_duration_counts_the_last_sample_with_a_whole_step() {
        let recording = Recording {
            rate_hz: 50_000.0,
            channels: vec![Channel { samples: vec![0.0; 8000], ..Channel::default() }],
            ..Recording::default()
        };
        assert!((recording.duration_s() - 0.16).abs() < 1e-15);
        assert_eq!(Recording::default().duration_s(), 0.0);
    }
}
