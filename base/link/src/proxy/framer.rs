//! Finds the MQTT PUBLISH packets in one direction of a plain connection.
//!
//! Bytes in, payloads out: synchronous, without I/O or clock, and never a panic. It follows MQTT
//! 3.1.1 (and 3.1, whose PUBLISH is the same) from the connection's first byte on. Whatever does
//! not read as that, such as TLS, MQTT 5 or a flipped bit, makes it *silent* for the rest of the
//! connection: better no record than a wrong one. Clauses are those of OASIS MQTT 3.1.1.

use bytes::Bytes;

use crate::impair::LegName;

/// Longest packet that is put together, bytes; a longer PUBLISH passes without a record.
const PACKET_LIMIT_BYTES: usize = 1024 * 1024;

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;

/// A PUBLISH whose last byte has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FramedPublish {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// The stamp of the chunk with the packet's first byte.
    pub(super) in_ns: i64,
}

/// The reader of one direction of one connection.
#[derive(Debug)]
pub(super) struct Framer {
    leg: LegName,
    state: State,
    /// Whether the packet that a connection begins with is still to come.
    at_start: bool,
    /// First byte of the packet that is being read, and when it came.
    header: u8,
    in_ns: i64,
    /// The packet's bytes after its fixed header, if it is put together.
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a packet.
    Header,
    /// In the remaining length: what is read of it, and how many of its bytes.
    Length { value: usize, bytes: u32 },
    /// In a packet that is put together, with so many bytes to come.
    Collect { left: usize },
    /// In one that is not.
    Skip { left: usize },
    /// Not MQTT 3.1.1.
    Silent,
}

impl Framer {
    pub(super) const fn new(leg: LegName) -> Self {
        Self { leg, state: State::Header, at_start: true, header: 0, in_ns: 0, body: Vec::new() }
    }

    /// Reads the next bytes, which came at `now_ns`, and appends the PUBLISH packets that end in
    /// them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], now_ns: i64, out: &mut Vec<FramedPublish>) {
        loop {
            match self.state {
                State::Silent => return,
                State::Header => {
                    let Some((&header, rest)) = bytes.split_first() else { return };
                    bytes = rest;
                    (self.header, self.in_ns) = (header, now_ns);
                    self.state = if self.may_come(header) {
                        State::Length { value: 0, bytes: 0 }
                    } else {
                        State::Silent
                    };
                }
                State::Length { value, bytes: read } => {
                    let Some((&byte, rest)) = bytes.split_first() else { return };
                    bytes = rest;
                    // Seven bits each, the least significant first, in four bytes at most (2.2.3).
                    let value = value | usize::from(byte & 0x7f) << (7 * read);
                    self.state = match (byte & 0x80 != 0, read) {
                        (true, 3) => State::Silent,
                        (true, _) => State::Length { value, bytes: read + 1 },
                        (false, _) => self.body_state(value),
                    };
                }
                State::Skip { left } => {
                    let taken = left.min(bytes.len());
                    bytes = &bytes[taken..];
                    self.state = State::Skip { left: left - taken };
                    if left > taken {
                        return;
                    }
                    self.state = State::Header;
                }
                State::Collect { left } => {
                    let (taken, rest) = bytes.split_at(left.min(bytes.len()));
                    bytes = rest;
                    if left > taken.len() {
                        self.body.extend_from_slice(taken);
                        self.state = State::Collect { left: left - taken.len() };
                        return;
                    }
                    self.state = if self.body.is_empty() {
                        self.end_packet(taken, out)
                    } else {
                        let mut body = std::mem::take(&mut self.body);
                        body.extend_from_slice(taken);
                        self.end_packet(&body, out)
                    };
                }
            }
        }
    }

    /// Whether a packet may begin so, here and in this direction (2.2.1 and 2.2.2).
    const fn may_come(&self, header: u8) -> bool {
        let (kind, flags) = (header >> 4, header & 0x0f);
        if self.at_start {
            return flags == 0
                && kind
                    == match self.leg {
                        LegName::Up => CONNECT,
                        LegName::Down => CONNACK,
                    };
        }
        match (kind, self.leg) {
            // The quality of service is 0, 1 or 2.
            (PUBLISH, _) => flags & 0b0110 != 0b0110,
            // PUBACK, PUBREC, PUBCOMP; PINGREQ, DISCONNECT; SUBACK, UNSUBACK, PINGRESP.
            (4 | 5 | 7, _) | (12 | 14, LegName::Up) | (9 | 11 | 13, LegName::Down) => flags == 0,
            // PUBREL; SUBSCRIBE, UNSUBSCRIBE.
            (6, _) | (8 | 10, LegName::Up) => flags == 2,
            _ => false,
        }
    }

    /// What to do with a packet of this remaining length.
    fn body_state(&mut self, length: usize) -> State {
        let collected = matches!(self.header >> 4, CONNECT | CONNACK | PUBLISH);
        if !collected {
            return State::Skip { left: length };
        }
        if length <= PACKET_LIMIT_BYTES {
            return State::Collect { left: length };
        }
        if self.at_start { State::Silent } else { State::Skip { left: length } }
    }

    /// Takes a whole packet, and returns what comes next.
    fn end_packet(&mut self, body: &[u8], out: &mut Vec<FramedPublish>) -> State {
        let is_sound = match self.header >> 4 {
            // Protocol name and level (3.1.2.1, 3.1.2.2); MQTT 5 has other packets.
            CONNECT => {
                body.starts_with(b"\x00\x04MQTT\x04") || body.starts_with(b"\x00\x06MQIsdp\x03")
            }
            // MQTT 5 has properties here (3.2.1).
            CONNACK => body.len() == 2,
            _ => match publication(self.header, body) {
                Some((topic, payload)) => {
                    let payload = Bytes::copy_from_slice(payload);
                    out.push(FramedPublish { topic, payload, in_ns: self.in_ns });
                    true
                }
                None => false,
            },
        };
        self.at_start = false;
        if is_sound { State::Header } else { State::Silent }
    }
}

/// The topic and the application message of a PUBLISH, which stands behind the topic and, where
/// there is one, the packet identifier (3.3.2, 3.3.3).
fn publication(header: u8, body: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let topic_bytes = usize::from(u16::from_be_bytes(*length));
    let identifier_bytes = if header & 0b0110 == 0 { 0 } else { 2 };
    let topic = String::from_utf8_lossy(rest.get(..topic_bytes)?).into_owned();
    Some((topic, rest.get(topic_bytes + identifier_bytes..)?))
}

#[cfg(test)]
mod tests;
