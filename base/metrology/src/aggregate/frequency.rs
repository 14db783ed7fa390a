//! Frequency over ten seconds (IEC 61000-4-30, 5.1): whole cycles over the time they took.
//!
//! Windows are gapless and hold a whole number of cycles, evenly spread to within what the
//! frequency changes in a fifth of a second; so the cycles' ends are known, and those that lie in
//! a ten-second interval of the clock are counted. A window that is not synchronous breaks the
//! count: its interval is flagged, and counts on the longer side of the break.

use serde::Serialize;

use crate::window::Window;

const INTERVAL_S: f64 = 10.0;

/// Fewer cycles than in this part of the interval are no measurement.
const COUNTED_PART_MIN: f64 = 0.5;

/// One ten-second value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Frequency {
    /// Start of the interval in s since the first sample.
    pub start_s: f64,
    /// Frequency in Hz; `None` where too few cycles could be followed.
    pub frequency_hz: Option<f64>,
    /// Whether a part of the interval was not synchronous.
    pub flagged: bool,
    /// Whether it contains a part of a dip, a swell or an interruption.
    pub over_event: bool,
}

/// A run of cycles without a break: first end, last end, cycles between them.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_s: f64,
    last_s: f64,
    cycles: u32,
}

/// Counts cycles.
#[derive(Clone, Debug)]
pub struct FrequencyMeter {
    tick_s: f64,
    interval: Option<i64>,
    run: Option<Run>,
    best: Option<Run>,
    flagged: bool,
    over_event: bool,
    /// The first and the last instant anything was known of in this interval.
    known: (f64, f64),
}

impl FrequencyMeter {
    /// Intervals begin at `tick_s` seconds after the first sample and every ten seconds before and
    /// after.
    pub fn new(tick_s: f64) -> Self {
        let tick_s = if tick_s.is_finite() { tick_s } else { 0.0 };
        Self {
            tick_s,
            interval: None,
            run: None,
            best: None,
            flagged: false,
            over_event: false,
            known: (0.0, 0.0),
        }
    }

    /// Takes the next window and whether an event goes on in it; answers with the intervals it
    /// ends.
    pub fn push(&mut self, window: &Window, over_event: bool) -> Vec<Frequency> {
        let mut ended = Vec::new();
        let broken = window.flagged || !window.tracked;
        let cycle_s = window.duration_s / f64::from(window.cycles.max(1));
        for k in 0..=window.cycles {
            let at_s = window.start_s + cycle_s * f64::from(k);
            // A cycle's end at the very end of an interval still belongs to it.
            let interval = (((at_s - self.tick_s - 1e-7) / INTERVAL_S).floor() as i64)
                .max(self.interval.unwrap_or(i64::MIN));
            if self.interval.is_none() {
                self.known = (at_s, at_s);
            }
            if let Some(present) = self.interval.filter(|present| *present != interval) {
                ended.extend(self.close(present));
                self.known = (self.tick_s + INTERVAL_S * interval as f64, at_s);
            }
            self.interval = Some(interval);
            self.known.1 = at_s;
            self.flagged |= broken;
            self.over_event |= over_event;
            if broken {
                self.break_run();
            } else {
                self.count(at_s, k == 0);
            }
        }
        ended
    }

    /// Ends the signal.
    pub fn finish(&mut self) -> Option<Frequency> {
        let present = self.interval.take()?;
        self.close(present)
    }

    /// Counts the end of a cycle; the start of a window is the end of the one before.
    fn count(&mut self, at_s: f64, start: bool) {
        match &mut self.run {
            Some(run) if start && (at_s - run.last_s).abs() < 1e-3 => {}
            Some(run) if !start => {
                run.last_s = at_s;
                run.cycles += 1;
            }
            _ => {
                self.break_run();
                self.run = Some(Run { first_s: at_s, last_s: at_s, cycles: 0 });
            }
        }
    }

    fn break_run(&mut self) {
        if let Some(run) = self.run.take()
            && self.best.is_none_or(|best| run.cycles > best.cycles)
        {
            self.best = Some(run);
        }
    }

    /// Ends an interval; the part of one at the beginning or end of the signal is none.
    fn close(&mut self, interval: i64) -> Option<Frequency> {
        self.break_run();
        let best = self.best.take();
        let flagged = std::mem::take(&mut self.flagged);
        let over_event = std::mem::take(&mut self.over_event);
        let start_s = self.tick_s + INTERVAL_S * interval as f64;
        let whole = self.known.0 <= start_s + 0.03 && self.known.1 >= start_s + INTERVAL_S - 0.03;
        let enough = |run: &Run| run.last_s - run.first_s >= COUNTED_PART_MIN * INTERVAL_S;
        let frequency_hz =
            best.filter(enough).map(|run| f64::from(run.cycles) / (run.last_s - run.first_s));
        whole.then_some(Frequency { start_s, frequency_hz, flagged, over_event })
    }
}
