//! The gateway's end of its connection.

use lastmeter_units::{SimDuration, SimTime};

use super::{Instants, Keys, Refusal, admitted, put_packet, unix_s};
use crate::keys::{HandshakeKey, NetworkKey, Nonce};
use crate::opcode::{Administration, Direction};
use crate::packet::{GatewayAddress, PacketReader};
use crate::payload::{Accept, Delivered, Down, Hello, Up};

/// What a gateway is set up with, beside the platform's address and port.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Its address.
    pub gateway: GatewayAddress,
    /// The name of its network.
    pub network_name: String,
    /// The network's key.
    pub key: NetworkKey,
    /// How long it sends nothing before it sends `keep-alive`.
    pub keep_alive: SimDuration,
    /// How long it waits for the platform.
    pub patience: SimDuration,
}

impl GatewaySettings {
    /// With the usual times: `keep-alive` each minute, patience of ten seconds for `accept` and of
    /// three minutes later.
    pub fn new(gateway: GatewayAddress, network_name: &str, key: NetworkKey) -> Self {
        Self {
            gateway,
            network_name: network_name.to_owned(),
            key,
            keep_alive: SimDuration::from_seconds(60),
            patience: SimDuration::from_seconds(10),
        }
    }
}

/// What the platform did.
#[derive(Debug, PartialEq, Eq)]
pub enum GatewayEvent<'a> {
    /// The session is open.
    Accepted {
        /// Up to where the gateway's numbered packets are on disk.
        delivered: Delivered,
    },
    /// A packet, in its order.
    Packet(Down<'a>),
    /// The platform has ended the connection. Nothing proves that it was the platform.
    Rejected {
        /// Why; `None` if the number stands for nothing that is known here.
        refusal: Option<Refusal>,
    },
    /// A packet of the platform was refused. If [that ends the
    /// connection](Refusal::ends_connection), it has ended.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Its opcode, by number; 0 if it had none.
        opcode: u16,
    },
}

#[derive(Debug)]
enum State {
    /// `hello` was sent.
    Asked,
    Open(Box<Keys>),
    Ended,
}

/// What became of one packet.
enum Step {
    More,
    Wait,
    Rejected(Option<Refusal>),
    End { refusal: Refusal, opcode: u16 },
}

/// How often the patience of the handshake a silent platform is waited for later.
const PATIENCE_WHEN_OPEN: i64 = 18;

/// The gateway's end of one connection.
#[derive(Debug)]
pub struct GatewayEnd {
    settings: GatewaySettings,
    nonce: Nonce,
    reader: PacketReader,
    state: State,
    /// What the platform's time is ahead by, in seconds.
    ahead_s: i64,
    heard: SimTime,
    sent: SimTime,
}

impl GatewayEnd {
    /// A connection that was made just now, at an instant of the gateway's own clock: puts `hello`
    /// behind `to`. The nonce is random and never used again.
    pub fn new(
        settings: GatewaySettings,
        nonce: Nonce,
        now: impl Into<Instants>,
        to: &mut Vec<u8>,
    ) -> Self {
        let now = now.into();
        let handshake = HandshakeKey::new(&settings.key, settings.gateway);
        let hello = Hello { nonce, network_name: &settings.network_name };
        put_packet(
            settings.gateway,
            Administration::Hello.into(),
            (unix_s(now.clock), 0),
            |to| hello.write(to),
            to,
            |_, head, payload| handshake.hello_tag(head, payload),
        );
        let (reader, state) = (PacketReader::default(), State::Asked);
        Self { settings, nonce, reader, state, ahead_s: 0, heard: now.watch, sent: now.watch }
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether packets can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    #[cfg(test)]
    pub(super) fn keys(&mut self) -> Option<&mut Keys> {
        match &mut self.state {
            State::Open(keys) => Some(keys),
            State::Asked | State::Ended => None,
        }
    }

    /// The platform's time at an instant of the gateway's own clock, in Unix seconds.
    pub fn platform_s(&self, now: SimTime) -> u32 {
        u32::try_from(i64::from(unix_s(now)) + self.ahead_s).unwrap_or_default()
    }

    /// Takes bytes of the stream. Events come in their order; what is to be sent is put behind
    /// `to`.
    pub fn receive(
        &mut self,
        now: impl Into<Instants>,
        bytes: &[u8],
        to: &mut Vec<u8>,
        mut take: impl FnMut(GatewayEvent<'_>),
    ) {
        let now = now.into();
        if self.has_ended() {
            return;
        }
        self.reader.push(bytes);
        loop {
            match self.step(now, &mut take) {
                Step::More => {}
                Step::Wait => break,
                Step::Rejected(refusal) => {
                    self.state = State::Ended;
                    take(GatewayEvent::Rejected { refusal });
                    return;
                }
                Step::End { refusal, opcode } => {
                    self.state = State::Ended;
                    take(GatewayEvent::Refused { refusal, opcode });
                    return;
                }
            }
        }
        // The platform takes the session for open once something has come under its keys.
        if let State::Open(keys) = &self.state
            && keys.own_serial == 0
        {
            self.send(now, &Up::KeepAlive, to);
        }
    }

    fn step(&mut self, now: Instants, take: &mut impl FnMut(GatewayEvent<'_>)) -> Step {
        // One packet from stream to event: apart, each stage would have to be given all fields.
        let Self { settings, nonce, reader, state, ahead_s, heard, .. } = self;
        let sealed = match reader.next_packet() {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Step::Wait,
            Err(error) => return Step::End { refusal: error.into(), opcode: 0 },
        };
        let header = sealed.header;
        let end = |refusal| Step::End { refusal, opcode: header.opcode };
        if header.opcode == Administration::Reject.code() {
            let reason = sealed.payload.first().map(|&place| usize::from(place));
            return Step::Rejected(reason.and_then(|place| Refusal::ALL.get(place).copied()));
        }
        let State::Open(keys) = state else {
            let handshake = HandshakeKey::new(&settings.key, settings.gateway);
            let accept = match Accept::read(sealed.payload) {
                Ok(accept) if header.opcode == Administration::Accept.code() => accept,
                _ => return end(Refusal::Handshake),
            };
            if !handshake.is_accept_tag(sealed.tag, &sealed.head, sealed.payload, nonce) {
                return end(Refusal::WrongKey);
            }
            let nonces = (&accept.nonce, &*nonce);
            let keys = Keys::new(&settings.key, settings.gateway, nonces, Direction::Up);
            *state = State::Open(Box::new(keys));
            *heard = now.watch;
            *ahead_s = i64::from(header.time_s) - i64::from(unix_s(now.clock));
            take(GatewayEvent::Accepted { delivered: accept.delivered });
            return Step::More;
        };
        if let Err(refusal) = admitted(&header, settings.gateway, keys, Direction::Down) {
            return end(refusal);
        }
        if !keys.other.open(&header, &sealed.head, sealed.payload, sealed.tag) {
            return end(Refusal::WrongTag);
        }
        keys.other_serial = header.serial;
        *heard = now.watch;
        let refused = |refusal| GatewayEvent::Refused { refusal, opcode: header.opcode };
        match header.opcode().and_then(|opcode| Down::read(opcode, sealed.payload)) {
            None => take(refused(Refusal::UnknownOpcode)),
            Some(Err(_)) => take(refused(Refusal::BadPayload)),
            Some(Ok(down)) => {
                if down == Down::Time {
                    *ahead_s = i64::from(header.time_s) - i64::from(unix_s(now.clock));
                }
                take(GatewayEvent::Packet(down));
            }
        }
        Step::More
    }

    /// Sends a packet; false if the connection is not open, or has ended because its serial numbers
    /// are used up.
    pub fn send(&mut self, now: impl Into<Instants>, up: &Up<'_>, to: &mut Vec<u8>) -> bool {
        self.send_payload(now, up.opcode(), |to| up.write(to), to)
    }

    /// Sends a packet whose payload is there already, as an [outbox](crate::delivery::Outbox) keeps
    /// it.
    pub fn send_payload(
        &mut self,
        now: impl Into<Instants>,
        opcode: crate::opcode::Opcode,
        write: impl FnOnce(&mut Vec<u8>),
        to: &mut Vec<u8>,
    ) -> bool {
        let now = now.into();
        let time_s = self.platform_s(now.clock);
        let State::Open(keys) = &mut self.state else { return false };
        let is_sent = keys.seal(self.settings.gateway, opcode, time_s, write, to);
        if is_sent {
            self.sent = now.watch;
        } else {
            self.state = State::Ended;
        }
        is_sent
    }

    /// When [`Self::tick`] has something to do, by the watch; `None` if the connection has ended.
    pub fn wake_at(&self) -> Option<SimTime> {
        let patience = self.settings.patience.0;
        let later = |from: SimTime, by: i64| {
            SimTime::from_nanoseconds(from.as_nanoseconds().saturating_add(by))
        };
        match self.state {
            State::Asked => Some(later(self.heard, patience)),
            State::Open(_) => {
                let silent = later(self.heard, patience.saturating_mul(PATIENCE_WHEN_OPEN));
                Some(later(self.sent, self.settings.keep_alive.0).min(silent))
            }
            State::Ended => None,
        }
    }

    /// Sends `keep-alive` if it is time for it, and ends the connection if the platform is silent
    /// for too long; then it gives the reason.
    pub fn tick(&mut self, now: impl Into<Instants>, to: &mut Vec<u8>) -> Option<Refusal> {
        let now = now.into();
        self.wake_at().filter(|at| *at <= now.watch)?;
        let times = if self.is_open() { PATIENCE_WHEN_OPEN } else { 1 };
        let patience = self.settings.patience.0.saturating_mul(times);
        if now.watch.since(self.heard).0 >= patience {
            self.state = State::Ended;
            return Some(Refusal::Silent);
        }
        self.send(now, &Up::KeepAlive, to);
        None
    }
}
