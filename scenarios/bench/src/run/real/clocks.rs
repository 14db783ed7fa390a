//! The clocks of a run in real time, how well the bench kept its schedule, and how busy the machine
//! was.

use lastmeter_link::clock::{ClockWatch, monotonic_ns};
use lastmeter_record::{ClockFacts, LoadFacts};
use lastmeter_units::{SimDuration, SimTime};

use super::deadlines::Punctuality;
use super::load::{LoadWatch, WatchedProcess};
use super::timeline::Timeline;
use crate::host;

/// From when everything is connected and measured to the beginning of the schedule.
const LEAD_NS: i64 = 200_000_000;

/// Event time, monotonic clock and wall clock beside one another.
pub(super) struct Clocks {
    pub(super) timeline: Timeline,
    watch: ClockWatch,
    pub(super) punctuality: Punctuality,
    /// Wall clock minus monotonic clock, for instants the platform gives.
    wall_offset_ns: i64,
    /// Over the machine's load, from the schedule's beginning on.
    load: Option<LoadWatch>,
    /// Whose waits for a processor are watched.
    watched: WatchedProcess,
    pub(super) waited_until_ns: i64,
    pub(super) has_begun: bool,
}

impl Clocks {
    pub(super) fn new(start: SimTime, watched: WatchedProcess) -> Self {
        Self {
            timeline: Timeline { start, origin_ns: monotonic_ns() },
            watch: ClockWatch::start(),
            punctuality: Punctuality::new(),
            wall_offset_ns: wall_offset_ns(),
            load: None,
            watched,
            waited_until_ns: 0,
            has_begun: false,
        }
    }

    /// Sets the beginning of the schedule.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
        self.timeline.origin_ns = monotonic_ns() + LEAD_NS;
        self.watch = ClockWatch::start();
        self.load = LoadWatch::start(self.watched.clone());
        self.wall_offset_ns = wall_offset_ns();
    }

    /// Event time now, as the scenario's clock has it.
    pub(super) fn now(&self) -> SimTime {
        self.event_time(monotonic_ns())
    }

    /// Event time at an instant, not before the start.
    pub(super) fn event_time(&self, at_ns: i64) -> SimTime {
        self.timeline.event_time(at_ns, SimDuration::ZERO).max(self.timeline.start)
    }

    /// The instant of the monotonic clock at a time of the wall clock.
    pub(super) fn at_wall(&self, at: SimTime) -> i64 {
        at.as_nanoseconds() - self.wall_offset_ns
    }

    /// Whether the clocks could be trusted, and how busy the machine was.
    pub(super) fn facts(&mut self) -> (ClockFacts, Option<LoadFacts>) {
        let seen = self.load.take().and_then(|watch| watch.end(self.timeline.origin_ns));
        let (load, furthest_ns) = seen.map_or((None, 0), |(load, step)| (Some(load), step));
        let mut clock = host::clock_facts(&self.watch);
        // A step forth and back is none at the end.
        if furthest_ns.abs() > clock.wall_step_ns.abs() {
            clock.wall_step_ns = furthest_ns;
        }
        (clock, load)
    }
}

fn wall_offset_ns() -> i64 {
    host::wall_now().as_nanoseconds() - monotonic_ns()
}
