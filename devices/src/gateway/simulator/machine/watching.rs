//! What an adapter shows of itself: its counts, the latest sample, what is written; and frames that
//! come beside the line.

use lastmeter_rts::point_map::PointDirection;
use lastmeter_rts::villas::json;
use lastmeter_rts::{RateCounts, SequenceEvent, SignalType};
use lastmeter_units::SimTime;

use super::{Adapter, FROM, Out};
use crate::gateway::Metric;
use crate::gateway::simulator::feeding::{Fed, FeedCounts};

impl Adapter {
    /// Takes a frame that came beside the line: in the map's wire format, or as the JSON of
    /// `VILLASnode`.
    pub(super) fn posted(&mut self, now: SimTime, frame: &[u8], is_json: bool, out: &mut Out) {
        let decoded = if is_json {
            let points = self.parts.map.of_direction(FROM);
            let types: Vec<SignalType> = points.map(|point| point.signal_type).collect();
            self.parts.wire.counted(json::decode(frame, &types))
        } else {
            self.parts.wire.arrived_alone(frame)
        };
        for one in decoded {
            self.decoded(now, one, out);
        }
    }

    pub(super) fn counts(&self) -> Vec<Metric> {
        let wire = &self.parts.wire;
        let counter = Metric::counter;
        let mut all = vec![counter("samples_total", "samples that were read", wire.samples())];
        let refused = wire.refusals().by_reason().map(|(reason, count)| {
            let help = "frames that were refused, by reason";
            counter("refused_total", help, count).of("reason", reason.word())
        });
        all.extend(refused);
        let points = self.parts.map.of_direction(PointDirection::FromSimulator);
        let left_out = points.zip(&self.left_out).filter(|(_, count)| **count > 0);
        all.extend(left_out.map(|(point, count)| {
            let help = "values outside of their declared range, by point";
            counter("left_out_total", help, *count).of("point", &point.name)
        }));
        let breaks = self.devices.iter().filter_map(|device| device.waveforms.as_ref());
        let breaks = breaks.map(|it| it.breaks).sum();
        let help = "windows of waveforms given up since samples were missing";
        all.push(counter("windows_broken_total", help, breaks));
        let sequence = |name, help, event| counter(name, help, self.sequence.of(event));
        let RateCounts { sent, held, refused, .. } = self.writer.counts();
        let waiting = self.parts.store.unacknowledged() as f64;
        all.extend([
            counter("late_samples_total", "samples after their period", self.late_samples),
            counter("frames_missing_total", "numbers left out", self.sequence.missing()),
            sequence("gaps_total", "gaps of frames' numbers", SequenceEvent::Gap),
            sequence("repeated_total", "frames that came again", SequenceEvent::Repetition),
            counter("readings_total", "readings that were made", self.readings),
            Metric::gauge("outbox_messages", "messages the broker has not acknowledged", waiting),
            counter("raw_refused_total", "samples that `raw` cannot carry", self.unsent_samples),
            counter("writes_total", "frames that were written", sent),
            counter("writes_held_total", "writes that had to wait for the card", held),
            counter("writes_refused_total", "writes that the card cannot take", refused),
            counter("sets_total", "set-point messages that were taken", self.sets.written),
            counter("sets_refused_total", "set-point messages refused", self.sets.refused),
        ]);
        all.extend(self.feed_counts());
        all
    }

    /// What became of the values of sources, by point.
    fn feed_counts(&self) -> Vec<Metric> {
        let mut all = Vec::new();
        let mut of_each = |name, help, count: fn(&FeedCounts) -> u64| {
            let counter = |fed: &Fed| Metric::counter(name, help, count(&fed.counts));
            let of = |fed: &Fed| counter(fed).of("point", &fed.point);
            all.extend(self.feeds.all().iter().map(of));
        };
        of_each("fed_total", "values of sources that were taken", |it| it.taken);
        of_each("fed_refused_total", "values that may not be written", |it| it.refused);
        of_each("fed_missing_total", "answers of sources without a value", |it| it.missing);
        of_each("fed_stale_total", "how often a source went stale", |it| it.stale);
        all
    }
}
