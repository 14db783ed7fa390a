//! Disturbance recorders: what flowed around the instants at which something happened, and how far
//! the dark area reached.

use lastmeter_grid::motion::{self, Operation, Probe, ProbeAt, ProbePair, Protector};
use lastmeter_grid::network::{Wire, Wires};
use lastmeter_units::SimDuration;

use super::solved_network::SolvedNetwork;
use crate::{Block, Streams, TerminalError};

/// So many seconds a recorder keeps at most at a time; what is longer is cut there.
const LONGEST_S: f64 = 20.0;

/// A disturbance recorder in a network: it keeps voltages and currents around whatever happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorder {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub at: ProbeAt,
    /// Samples per second.
    pub rate_hz: f64,
    /// It begins so long before the first thing that happens ...
    pub before: SimDuration,
    /// ... and ends so long after the last one; what happens within that is kept together.
    pub after: SimDuration,
    /// So many excerpts it has room for: the first ones.
    pub room: usize,
}

/// What a recorder kept around an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedExcerpt {
    /// When it begins, since the start.
    pub from: SimDuration,
    /// Voltages to earth of the phases a, b and c in volts.
    pub voltages_v: Vec<Vec<f64>>,
    /// Currents in amperes, likewise; empty where there are none to be seen.
    pub currents_a: Vec<Vec<f64>>,
}

/// How a network is supplied at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Supply {
    /// When, since the start.
    pub at: SimDuration,
    /// Whether that instant was asked for, and is not that of most dark loads.
    pub is_asked_for: bool,
    /// Of each node its phases that have a voltage.
    pub alive: Vec<Wires>,
    /// Of each switch its poles that are closed.
    pub closed: Vec<Vec<bool>>,
    /// How many loads have no supply.
    pub dark: usize,
}

impl Recorder {
    pub(super) fn probe(&self) -> Probe {
        let pair = |wire: Wire| {
            let mut of_wire = [0.0; 4];
            of_wire[wire.index()] = 1.0;
            ProbePair { voltage: of_wire, current: of_wire }
        };
        Probe { at: self.at, pairs: Wire::PHASES.map(pair).to_vec() }
    }

    /// The spans in which something happened, from and to, in order, within a whole.
    fn spans(&self, operations: &[Operation], whole: SimDuration) -> Vec<(i64, i64)> {
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let longest_ns = (LONGEST_S * 1e9) as i64;
        for it in operations.iter().filter(|it| it.kind.switches()) {
            let (from, to) = ((it.at_ns - self.before.0).max(0), it.at_ns + self.after.0);
            let to = to.min(whole.0);
            match spans.last_mut() {
                Some(last) if from <= last.1 && to - last.0 <= longest_ns => last.1 = to,
                // What begins before the last one ends goes on where that one ended.
                Some(last) => {
                    let from = from.max(last.1);
                    spans.push((from, to));
                }
                None => spans.push((from, to)),
            }
        }
        spans.retain(|(from, to)| to > from);
        spans
    }
}

impl SolvedNetwork {
    /// Its recorders.
    #[must_use]
    pub fn recorders(&self) -> &[Recorder] {
        self.timeline.as_ref().map_or(&[], |timeline| &timeline.recorders)
    }

    /// Its protective devices.
    #[must_use]
    pub fn protectors(&self) -> &[Protector] {
        self.timeline.as_ref().map_or(&[], |timeline| &timeline.protectors)
    }

    /// What a recorder kept, in order of time, and how many excerpts it had no room for.
    ///
    /// # Errors
    /// If voltages or currents are not finite.
    pub fn kept(
        &self,
        place: usize,
        streams: Streams,
    ) -> Result<(Vec<RecordedExcerpt>, usize), TerminalError> {
        let Some(recorder) = self.recorders().get(place) else { return Ok((Vec::new(), 0)) };
        let whole = self.setup.raster.begin(self.setup.raster.steps);
        let spans = recorder.spans(self.operations(), whole);
        let probe = self.setup.network.sources.len() + self.setup.network.loads.len() + place;
        let terminal = self.terminal(&recorder.name, streams, probe)?;
        let has_currents = !matches!(recorder.at, ProbeAt::Node(_));
        let mut block = Block::default();
        let mut kept = Vec::new();
        for (from, to) in spans.iter().take(recorder.room) {
            let sample = |ns: i64| ns as f64 * 1e-9 * recorder.rate_hz;
            let (first, last) = (sample(*from).ceil() as u64, sample(*to).floor() as u64);
            let count = usize::try_from(last.saturating_sub(first)).unwrap_or(0);
            terminal.render(first, recorder.rate_hz, count, &mut block);
            kept.push(RecordedExcerpt {
                from: SimDuration((first as f64 / recorder.rate_hz * 1e9).round() as i64),
                voltages_v: block.voltages.clone(),
                currents_a: if has_currents { block.currents.clone() } else { Vec::new() },
            });
        }
        Ok((kept, spans.len().saturating_sub(recorder.room)))
    }

    /// What had a supply at the instant that was asked for; else when loads lacked most of theirs,
    /// the first such instant, and none if all always had one.
    #[must_use]
    pub fn dark_area(&self) -> Option<Supply> {
        let timeline = self.timeline.as_ref()?;
        let supply = |it: &motion::Supply, at: SimDuration| Supply {
            at,
            is_asked_for: timeline.dark_at.is_some(),
            alive: it.alive.clone(),
            closed: it.closed.clone(),
            dark: dark_loads(it),
        };
        let all = timeline.supplies();
        if let Some(at) = timeline.dark_at {
            let &(_, standing) = all.iter().rev().find(|it| it.0 <= at).or(all.first())?;
            return Some(supply(standing, at));
        }
        // Of several as dark as another the first. By what loads lack: poles open one by one.
        let lacking =
            |it: &motion::Supply| it.supplied.iter().map(|share| 1.0 - share).sum::<f64>();
        let backwards = all.iter().rev();
        let &(from, darkest) =
            backwards.max_by(|one, other| lacking(one.1).total_cmp(&lacking(other.1)))?;
        Some(supply(darkest, from)).filter(|it| it.dark > 0)
    }
}

/// How many loads have less than their whole supply.
fn dark_loads(supply: &motion::Supply) -> usize {
    supply.supplied.iter().filter(|it| **it < 1.0).count()
}

#[cfg(test)]
mod tests {
    use lastmeter_grid::motion::OperationKind;
    use lastmeter_grid::network::NodeId;

    use super::*;

    fn recorder() -> Recorder {
        Recorder {
            name: "r".to_owned(),
            at: ProbeAt::Node(NodeId(0)),
            rate_hz: 10_000.0,
            before: SimDuration::from_milliseconds(100),
            after: SimDuration::from_milliseconds(200),
            room: 10,
        }
    }

    fn operation(ms: i64, kind: OperationKind) -> Operation {
        let (at_ns, element, node) = (ms * 1_000_000, "x".into(), "n".into());
        Operation { at_ns, element, node, kind, detail: "".into(), point: None }
    }

    #[test]
    fn what_happens_soon_after_is_kept_together_and_nothing_is_kept_twice() {
        let whole = SimDuration::from_seconds(60);
        let spans = |all: &[(i64, OperationKind)]| {
            let all: Vec<Operation> = all.iter().map(|(ms, kind)| operation(*ms, *kind)).collect();
            let spans = recorder().spans(&all, whole);
            let ms = |ns: i64| ns / 1_000_000;
            spans.into_iter().map(|(from, to)| (ms(from), ms(to))).collect::<Vec<_>>()
        };
        assert_eq!(spans(&[(1000, OperationKind::Ignited)]), [(900, 1200)]);
        assert_eq!(
            spans(&[(1000, OperationKind::Ignited), (1250, OperationKind::Blown)]),
            [(900, 1450)]
        );
        assert_eq!(
            spans(&[(1000, OperationKind::Ignited), (1301, OperationKind::Blown)]),
            [(900, 1200), (1201, 1501)]
        );
        // What changes nothing is no reason, nor is there anything before the start or after the
        // end.
        assert_eq!(spans(&[(1000, OperationKind::Idle), (1000, OperationKind::Tripped)]), []);
        assert_eq!(
            spans(&[(20, OperationKind::Ignited), (59_950, OperationKind::Cleared)]),
            [(0, 220), (59_850, 60_000)]
        );
        // A long row of operations is cut.
        let many: Vec<(i64, OperationKind)> =
            (0..300).map(|k| (1000 + 100 * k, OperationKind::Opened)).collect();
        let cut = spans(&many);
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0].1, cut[1].0);
    }
}
