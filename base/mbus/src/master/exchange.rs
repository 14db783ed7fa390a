//! One request and its answer: what is sent, what may come back, how often it is repeated.

use lastmeter_units::SimTime;
use thiserror::Error;

use crate::control::Control;
use crate::frame::{Frame, FrameError, SELECTED, TEST_BROADCAST};
use crate::reader::Received;

/// Why what was received is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Garble {
    /// Bytes that are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// More than one answer, or one with bytes around it.
    #[error("{parts} pieces in {bytes} bytes, expected one frame")]
    Overlong {
        /// Frames and pieces between them.
        parts: usize,
        /// Bytes of all of them.
        bytes: usize,
    },
    /// A frame that answers something else, or comes from another address.
    #[error("control field {control:?} from address {address:?}, expected {expected}")]
    Unexpected {
        /// Its control field; none in a single character.
        control: Option<u8>,
        /// Its address; none in a single character.
        address: Option<u8>,
        /// What was waited for.
        expected: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// The single character.
    Acknowledge,
    /// User data from this address.
    Response(u8),
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) expect: Expect,
    /// Repetitions after silence.
    pub(super) after_silence: u8,
    /// Repetitions after a garbled answer.
    pub(super) after_garble: u8,
    /// Whether several may answer: listens for as long as an answer may begin.
    pub(super) collisions: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchanged {
    /// The single character came.
    Acknowledged,
    /// User data came: a frame.
    Response(Vec<u8>),
    /// Nothing came, as often as it was sent.
    Silent,
    /// What came is no answer; the last one where it was sent more than once.
    Garbled(Garble),
}

#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) request: Request,
    /// When an answer has to have begun.
    pub(super) deadline: SimTime,
    /// When whatever is received is over.
    pub(super) limit: SimTime,
    pub(super) last_byte: Option<SimTime>,
    pub(super) received: Vec<Received>,
    garble: Option<Garble>,
}

impl Exchange {
    pub(super) fn new(request: Request) -> Self {
        let (deadline, limit) = (SimTime(0), SimTime(0));
        let (last_byte, received, garble) = (None, Vec::new(), None);
        Self { request, deadline, limit, last_byte, received, garble }
    }

    /// What was received once the line is quiet; nothing if the request is to be sent again.
    pub(super) fn conclude(&mut self) -> Option<Exchanged> {
        self.last_byte = None;
        let received = std::mem::take(&mut self.received);
        if received.is_empty() {
            if self.request.after_silence > 0 {
                self.request.after_silence -= 1;
                return None;
            }
            return Some(self.garble.map_or(Exchanged::Silent, Exchanged::Garbled));
        }
        match self.judge(&received) {
            Ok(answer) => Some(answer),
            Err(garble) if self.request.after_garble > 0 => {
                self.request.after_garble -= 1;
                self.garble = Some(garble);
                None
            }
            Err(garble) => Some(Exchanged::Garbled(garble)),
        }
    }

    fn judge(&self, received: &[Received]) -> Result<Exchanged, Garble> {
        let (bytes, noise) = match received {
            [Received::Frame { bytes, noise }] => (bytes, *noise),
            [Received::Garbled { error, .. }] => return Err(Garble::Frame(*error)),
            more => {
                let count = |one: &Received| match one {
                    Received::Frame { bytes, noise } => bytes.len() + noise,
                    Received::Garbled { count, .. } => *count,
                };
                let bytes = more.iter().map(count).sum();
                return Err(Garble::Overlong { parts: more.len(), bytes });
            }
        };
        if noise > 0 && self.request.collisions {
            return Err(Garble::Overlong { parts: 2, bytes: bytes.len() + noise });
        }
        let frame = Frame::decode(bytes)?;
        let (control, address) = (frame.control(), frame.address());
        let unexpected = |expected| {
            let control = control.map(Control::byte);
            Garble::Unexpected { control, address, expected }
        };
        match (self.request.expect, control) {
            (Expect::Acknowledge, None) => Ok(Exchanged::Acknowledged),
            (Expect::Response(from), Some(Control::RespondUserData { .. }))
                if matches!(from, SELECTED | TEST_BROADCAST) || address == Some(from) =>
            {
                Ok(Exchanged::Response(bytes.clone()))
            }
            (Expect::Response(_), _) => Err(unexpected("RSP_UD of the slave")),
            (Expect::Acknowledge, Some(_)) => Err(unexpected("E5")),
        }
    }
}
