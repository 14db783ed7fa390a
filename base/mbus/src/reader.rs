//! Frames out of a stream of bytes with their times.
//!
//! A frame has no gaps: silence longer than [`Reader::gap`] ends whatever began. Bytes that start
//! nothing are skipped as noise; once a frame has begun and turns out wrong, everything up to the
//! next gap belongs to it, as its data may hold bytes that look like a start
//! (IEC 60870-5-1, 6.2.4.2: after an error the line has to be idle for 33 bits).

use lastmeter_units::{SimDuration, SimTime};

use crate::baud::BaudRate;
use crate::frame::{Frame, FrameError, length};

/// Idle bits after which a frame is over (IEC 60870-5-1, 6.2.4.2).
pub const GAP_BITS: u32 = 33;

/// What bytes turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A frame, whole and with the right checksum.
    Frame {
        /// Its bytes; [`Frame::decode`] reads them.
        bytes: Vec<u8>,
        /// Bytes before it that started nothing.
        noise: usize,
    },
    /// Bytes that are no frame.
    Garbled {
        /// Reason of the refusal.
        error: FrameError,
        /// How many they were.
        count: usize,
    },
}

/// Takes bytes and yields frames.
#[derive(Debug, Clone)]
pub struct Reader {
    gap: SimDuration,
    buffer: Vec<u8>,
    noise: usize,
    first_noise: u8,
    wrong: Option<(FrameError, usize)>,
    last: Option<SimTime>,
}

impl Reader {
    /// A reader for a line at this rate.
    pub fn new(baud: BaudRate) -> Self {
        Self::with_gap(baud.bits(GAP_BITS))
    }

    /// A reader whose frames are ended by so long a silence.
    pub const fn with_gap(gap: SimDuration) -> Self {
        Self { gap, buffer: Vec::new(), noise: 0, first_noise: 0, wrong: None, last: None }
    }

    /// The silence that ends a frame.
    pub const fn gap(&self) -> SimDuration {
        self.gap
    }

    /// Whether bytes wait for their frame's end.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.noise == 0 && self.wrong.is_none()
    }

    /// When silence will have ended what began.
    pub fn deadline(&self) -> Option<SimTime> {
        let last = self.last?;
        (!self.is_idle()).then_some(SimTime(last.0.saturating_add(self.gap.0)))
    }

    /// The line was silent until now: what began is over where that is long enough.
    pub fn silent(&mut self, now: SimTime) -> Option<Received> {
        (self.deadline()? <= now).then(|| self.end())?
    }

    /// A byte whose end was received at this time. A gap before it ends what began, so there may
    /// be two results: `silent` with the same time yields the first.
    pub fn byte(&mut self, now: SimTime, byte: u8) -> [Option<Received>; 2] {
        let before = self.last.is_some_and(|last| now.0.saturating_sub(last.0) > self.gap.0);
        let ended = if before { self.end() } else { None };
        self.last = Some(now);
        if let Some((_, count)) = &mut self.wrong {
            *count += 1;
            return [ended, None];
        }
        self.buffer.push(byte);
        [ended, self.advance()]
    }

    /// What the buffer holds once a byte came.
    fn advance(&mut self) -> Option<Received> {
        match length(&self.buffer) {
            Ok(Some(needed)) if self.buffer.len() >= needed => {
                match Frame::decode(&self.buffer).err() {
                    None => {
                        let bytes = std::mem::take(&mut self.buffer);
                        let noise = std::mem::take(&mut self.noise);
                        return Some(Received::Frame { bytes, noise });
                    }
                    Some(error) => self.give_up(error),
                }
            }
            Ok(_) => {}
            Err(FrameError::Start { found }) => {
                if self.noise == 0 {
                    self.first_noise = found;
                }
                self.noise += 1;
                self.buffer.clear();
            }
            Err(error) => self.give_up(error),
        }
        None
    }

    fn give_up(&mut self, error: FrameError) {
        self.wrong = Some((error, self.noise + self.buffer.len()));
        self.noise = 0;
        self.buffer.clear();
    }

    /// Ends what began, as silence would.
    pub fn end(&mut self) -> Option<Received> {
        if let Err(error) = Frame::decode(&self.buffer)
            && !self.buffer.is_empty()
        {
            self.give_up(error);
        }
        if self.wrong.is_none() && self.noise > 0 {
            self.give_up(FrameError::Start { found: self.first_noise });
        }
        self.wrong.take().map(|(error, count)| Received::Garbled { error, count })
    }
}
