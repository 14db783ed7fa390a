//! The platform's end of a gateway's connection.

use std::mem;

use lastmeter_units::{SimDuration, SimTime};

use super::{Instants, Keys, Refusal, admitted, put_packet, put_reject, unix_s};
use crate::keys::{HandshakeKey, NetworkKey, Nonce};
use crate::opcode::{Administration, Direction};
use crate::packet::{GatewayAddress, PacketReader, Sealed};
use crate::payload::{Accept, Delivered, Down, Hello, Up};

/// What a connection may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How far a packet's time may be from the platform's. A platform whose clock is driven stands
    /// behind the gateways.
    pub clock_bound: SimDuration,
    /// How long a gateway may take for its `hello`, and then for its first packet.
    pub handshake: SimDuration,
    /// How long a gateway may send nothing.
    pub idle: SimDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clock_bound: SimDuration::from_seconds(900),
            handshake: SimDuration::from_seconds(10),
            idle: SimDuration::from_seconds(180),
        }
    }
}

/// What the platform knows of the network behind a gateway's address.
#[derive(Clone, Copy, Debug)]
pub struct KnownNetwork<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its key.
    pub key: &'a NetworkKey,
    /// Up to where numbered packets of its gateway are on disk.
    pub delivered: Delivered,
}

/// What a gateway did.
#[derive(Debug, PartialEq, Eq)]
pub enum PlatformEvent<'a> {
    /// It wants a connection; [`PlatformEnd::answer`] goes on.
    Hello {
        /// Who.
        gateway: GatewayAddress,
        /// The name that its network has there.
        network_name: &'a str,
    },
    /// The session is open: the handshake is done.
    Open,
    /// A packet, in its order.
    Packet {
        /// When it was sent, by the gateway's clock: Unix seconds.
        time_s: u32,
        /// What it holds.
        up: Up<'a>,
    },
    /// A packet was refused. If [that ends the connection](Refusal::ends_connection), it has ended.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Its opcode, by number; 0 if it had none.
        opcode: u16,
    },
}

#[derive(Debug)]
enum State {
    /// No `hello` yet.
    New,
    /// `hello` waits for an answer.
    Asked(Box<Asked>),
    /// `accept` was sent; nothing came under the keys yet.
    Accepted(Box<Keys>),
    Open(Box<Keys>),
    Ended,
}

/// A `hello` that waits for an answer.
#[derive(Debug)]
struct Asked {
    name: String,
    nonce: Nonce,
    /// Its tag is compared once the key is known.
    head: [u8; crate::packet::HEADER_BYTES],
    payload: Vec<u8>,
    tag: [u8; crate::packet::TAG_BYTES],
}

/// What became of one packet.
enum Step {
    /// The next one can be taken.
    More,
    /// There is none, or it has to wait.
    Wait,
    /// The connection ends.
    End { refusal: Refusal, opcode: u16 },
}

/// The platform's end of one connection.
#[derive(Debug)]
pub struct PlatformEnd {
    limits: Limits,
    reader: PacketReader,
    state: State,
    /// Whose it is, from `hello` on.
    gateway: GatewayAddress,
    /// When it was made, or the gateway was last heard, by the watch.
    heard: SimTime,
}

impl PlatformEnd {
    /// A connection that was made just now.
    pub fn new(now: impl Into<Instants>, limits: Limits) -> Self {
        let (reader, gateway) = (PacketReader::default(), GatewayAddress(0));
        Self { limits, reader, state: State::New, gateway, heard: now.into().watch }
    }

    /// Whose connection it is; `None` before `hello`.
    pub fn gateway(&self) -> Option<GatewayAddress> {
        (self.gateway != GatewayAddress(0)).then_some(self.gateway)
    }

    /// Whether the connection has ended. What is to be sent is sent all the same.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether packets can be sent to the gateway.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Takes bytes of the stream. Events come in their order; what is to be sent is put behind
    /// `to`. After [`PlatformEvent::Hello`] nothing more is taken until it is answered.
    pub fn receive(
        &mut self,
        now: impl Into<Instants>,
        bytes: &[u8],
        to: &mut Vec<u8>,
        mut take: impl FnMut(PlatformEvent<'_>),
    ) {
        let now = now.into();
        if self.has_ended() {
            return;
        }
        self.reader.push(bytes);
        loop {
            match self.step(now, to, &mut take) {
                Step::More => {}
                Step::Wait => return,
                Step::End { refusal, opcode } => {
                    self.end(now, refusal, to);
                    take(PlatformEvent::Refused { refusal, opcode });
                    return;
                }
            }
        }
    }

    fn step(
        &mut self,
        now: Instants,
        to: &mut Vec<u8>,
        take: &mut impl FnMut(PlatformEvent<'_>),
    ) -> Step {
        // One packet from stream to event: apart, each stage would have to be given all fields.
        let Self { limits, reader, state, gateway, heard } = self;
        if matches!(state, State::Asked(_) | State::Ended) {
            return Step::Wait;
        }
        let sealed = match reader.next_packet() {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Step::Wait,
            Err(error) => return Step::End { refusal: error.into(), opcode: 0 },
        };
        let header = sealed.header;
        let end = |refusal| Step::End { refusal, opcode: header.opcode };
        let (State::Accepted(keys) | State::Open(keys)) = state else {
            let Some(asked) = asked(&sealed) else { return end(Refusal::Handshake) };
            (*gateway, *heard) = (header.gateway, now.watch);
            take(PlatformEvent::Hello { gateway: header.gateway, network_name: &asked.name });
            *state = State::Asked(Box::new(asked));
            return Step::Wait;
        };
        if let Err(refusal) = admitted(&header, *gateway, keys, Direction::Up) {
            return end(refusal);
        }
        if !keys.other.open(&header, &sealed.head, sealed.payload, sealed.tag) {
            return end(Refusal::WrongTag);
        }
        keys.other_serial = header.serial;
        *heard = now.watch;
        *state = match mem::replace(state, State::Ended) {
            State::Accepted(keys) => {
                take(PlatformEvent::Open);
                State::Open(keys)
            }
            other => other,
        };
        let State::Open(keys) = state else { return Step::Wait };
        let own_s = unix_s(now.clock);
        let is_timely = SimDuration::from_seconds(i64::from(own_s.abs_diff(header.time_s)))
            <= limits.clock_bound;
        let refused = |refusal| PlatformEvent::Refused { refusal, opcode: header.opcode };
        let read = header.opcode().and_then(|opcode| Up::read(opcode, sealed.payload));
        let is_time_wanted = match read {
            None => {
                take(refused(Refusal::UnknownOpcode));
                false
            }
            // The gateway learns the time, and sends again what it keeps.
            Some(_) if !is_timely => {
                take(refused(Refusal::WrongTime));
                true
            }
            Some(Err(_)) => {
                take(refused(Refusal::BadPayload));
                false
            }
            Some(Ok(up)) => {
                let is_keep_alive = up == Up::KeepAlive;
                take(PlatformEvent::Packet { time_s: header.time_s, up });
                is_keep_alive
            }
        };
        if is_time_wanted {
            keys.seal(*gateway, Down::Time.opcode(), own_s, |_| {}, to);
        }
        Step::More
    }

    /// Answers `hello`: with what is known of its network, or why there is nothing. What waits in
    /// the stream is taken by the next [`Self::receive`].
    ///
    /// # Errors
    /// If the connection ends, with the reason that the gateway is given.
    pub fn answer(
        &mut self,
        now: impl Into<Instants>,
        known: Result<KnownNetwork<'_>, Refusal>,
        nonce: &Nonce,
        to: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let now = now.into();
        let State::Asked(asked) = mem::replace(&mut self.state, State::Ended) else {
            return Err(Refusal::Handshake);
        };
        let gateway = self.gateway;
        let agreed = known.and_then(|known| {
            let handshake = HandshakeKey::new(known.key, gateway);
            if known.name != asked.name {
                return Err(Refusal::WrongName);
            }
            if !handshake.is_hello_tag(asked.tag, &asked.head, &asked.payload) {
                return Err(Refusal::WrongKey);
            }
            Ok((known, handshake))
        });
        let (known, handshake) = match agreed {
            Ok(agreed) => agreed,
            Err(refusal) => {
                self.end(now, refusal, to);
                return Err(refusal);
            }
        };
        let accept = Accept { nonce: *nonce, delivered: known.delivered };
        put_packet(
            gateway,
            Administration::Accept.into(),
            (unix_s(now.clock), 0),
            |to| accept.write(to),
            to,
            |_, head, payload| handshake.accept_tag(head, payload, &asked.nonce),
        );
        let nonces = (nonce, &asked.nonce);
        let keys = Keys::new(known.key, gateway, nonces, Direction::Down);
        self.state = State::Accepted(Box::new(keys));
        self.heard = now.watch;
        Ok(())
    }

    /// Sends a packet; false if the connection is not open, or has ended because its serial numbers
    /// are used up.
    pub fn send(&mut self, now: impl Into<Instants>, down: &Down<'_>, to: &mut Vec<u8>) -> bool {
        let now = now.into();
        let State::Open(keys) = &mut self.state else { return false };
        let write = |to: &mut Vec<u8>| down.write(to);
        let is_sent = keys.seal(self.gateway, down.opcode(), unix_s(now.clock), write, to);
        if !is_sent {
            self.end(now, Refusal::Closed, to);
        }
        is_sent
    }

    /// When the connection ends, by the watch, if nothing is heard until then; `None` if it has
    /// ended.
    pub fn wake_at(&self) -> Option<SimTime> {
        let silence = match self.state {
            State::New | State::Asked(_) | State::Accepted(_) => self.limits.handshake,
            State::Open(_) => self.limits.idle,
            State::Ended => return None,
        };
        let at = self.heard.as_nanoseconds().saturating_add(silence.0);
        Some(SimTime::from_nanoseconds(at))
    }

    /// Ends the connection if nothing was heard for too long; then it gives the reason.
    pub fn tick(&mut self, now: impl Into<Instants>, to: &mut Vec<u8>) -> Option<Refusal> {
        let now = now.into();
        let is_due = self.wake_at().is_some_and(|at| at <= now.watch);
        is_due.then(|| {
            self.end(now, Refusal::Silent, to);
            Refusal::Silent
        })
    }

    /// Ends the connection for a reason, which the gateway is given.
    pub fn end(&mut self, now: impl Into<Instants>, refusal: Refusal, to: &mut Vec<u8>) {
        self.state = State::Ended;
        put_reject(self.gateway, unix_s(now.into().clock), refusal, to);
    }
}

/// What a packet asks for; `None` if it is no `hello`.
fn asked(sealed: &Sealed<'_>) -> Option<Asked> {
    let is_hello = sealed.header.opcode == Administration::Hello.code();
    let hello = Hello::read(sealed.payload).ok()?;
    (is_hello && sealed.header.serial == 0).then(|| Asked {
        name: hello.network_name.to_owned(),
        nonce: hello.nonce,
        head: sealed.head,
        payload: sealed.payload.to_vec(),
        tag: sealed.tag,
    })
}
