//! The air of a test: it loses, delays and doubles frames, by a seeded stream.

use std::collections::BTreeMap;

use lastmeter_units::{SimDuration, SimTime};

use crate::address::Eui64;
use crate::network::RadioFrame;

/// A stream of random numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Stream(pub(super) u64);

impl Stream {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64 <= probability && probability > 0.0
    }
}

/// How bad the air is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) delay_max: SimDuration,
    /// How late a duplicate may come.
    pub(super) late_max: SimDuration,
}

impl Weather {
    pub(super) const FAIR: Self = Self {
        loss: 0.0,
        duplicate: 0.0,
        delay_max: SimDuration::from_milliseconds(5),
        late_max: SimDuration::ZERO,
    };
    pub(super) const FOUL: Self = Self {
        loss: 0.15,
        duplicate: 0.15,
        delay_max: SimDuration::from_milliseconds(250),
        late_max: SimDuration::from_seconds(60),
    };
}

/// Frames on their way. Whoever is at their destination when they arrive receives them.
#[derive(Debug)]
pub(super) struct Air {
    pub(super) weather: Weather,
    stream: Stream,
    on_the_way: BTreeMap<(SimTime, u64), RadioFrame>,
    number: u64,
    pub(super) sent: u64,
}

impl Air {
    pub(super) fn new(weather: Weather, seed: u64) -> Self {
        let on_the_way = BTreeMap::new();
        Self { weather, stream: Stream(seed), on_the_way, number: 0, sent: 0 }
    }

    pub(super) fn transmit(&mut self, now: SimTime, frame: RadioFrame) {
        self.sent += 1;
        let Weather { loss, duplicate, delay_max, late_max } = self.weather;
        if self.stream.chance(duplicate) {
            let late = now + self.up_to(late_max);
            self.put(late, frame.clone());
        }
        if !self.stream.chance(loss) {
            let at = now + self.up_to(delay_max);
            self.put(at, frame);
        }
    }

    fn up_to(&mut self, span: SimDuration) -> SimDuration {
        SimDuration(1 + (self.stream.draw() % (span.0.max(1) as u64)) as i64)
    }

    fn put(&mut self, at: SimTime, frame: RadioFrame) {
        self.number += 1;
        self.on_the_way.insert((at, self.number), frame);
    }

    pub(super) fn next(&self) -> Option<SimTime> {
        self.on_the_way.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self, now: SimTime) -> Option<RadioFrame> {
        let entry = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    pub(super) fn is_to_coordinator(frame: &RadioFrame, coordinator: Eui64) -> bool {
        frame.source_eui != coordinator
    }
}
