//! Authentication between a node's controller and its application: what is sent is sealed, what
//! comes is verified, and what is refused is counted by reason.
//!
//! The schemes are those of `lastmeter_can::authentication`. The master seals its orders for all
//! nodes as node 0, each slave its answers as its own. Remote frames have no data and pass as they
//! are: whoever is on the bus can ask. All nodes know the key of orders, so one of them can forge
//! orders, but no answers of another. Sealed frames have to leave in the order in which they were
//! sealed, so mailboxes are emptied by request.
//!
//! A sender begins behind all counters that it had ever reserved, and so its first message is
//! behind a resynchronisation. That may be lost, and a receiver may miss more messages than a
//! truncated counter spans: a remote frame of the register of resynchronisation asks a node for
//! another one.
//!
//! The scheme of the paper has neither: its sync code travels whole, the sender's is kept as the
//! counters of the others are, so that its messages are accepted after a restart, and the
//! receiver's is not, as the paper does not state that anything is.
//!
//! Keys are drawn from random streams of the scenario, by both sides: one for each device, and one
//! for all CAN networks, from which the key of orders is derived and which is the shared key of the
//! paper's scheme. `{:?}` prints none of them.

use std::collections::BTreeMap;
use std::convert::Infallible;

use lastmeter_can::authentication::paper::{PaperReceiver, PaperScheme};
use lastmeter_can::authentication::{
    Direction, Event, KEY_BYTES, NODE_MAX, NodeKey, RESYNC_REGISTER, Receiver, ReceiverRecord,
    Refusal, Scheme, SealError, SecretKey, Sender, SenderRecord, Settings,
};
use lastmeter_can::frame::{CanFrame, CanId, DATA_BYTES_MAX};
use lastmeter_params::{Code, Diagnostics, Field, Kind, Values};
use lastmeter_sim::Streams;
use lastmeter_units::{SimDuration, SimTime};
use rand::Rng as _;

/// So many counters are reserved at a time, and more when half of them are left.
const BLOCK: u32 = 1024;
/// The node that orders for all are sealed as.
const ALL_NODES: u8 = 0;
/// The stream of the key that all nodes of the CAN networks of a scenario share.
const SHARED_KEY: &str = "can-key";

lastmeter_units::words! {
    /// How messages of a network are authenticated.
    pub(crate) enum Authentication {
        /// Not at all.
        None = "none",
        /// As the paper has it.
        Paper = "paper",
        /// In the same frame.
        Compact = "compact",
        /// By a second frame.
        Strong = "strong",
    }
}

/// The key of a model by which it names its scheme.
pub(crate) const AUTHENTICATION: Field = Field::default(
    "authentication",
    Kind::Choice(Authentication::WORDS),
    "\"none\"",
    "How messages of the network are authenticated, the same for all of its nodes: `none`; \
     `paper`: a hash of message, sync code and one shared key, as published, which the last \
     message passes again; `compact`: 4 bytes of data, 1 of a counter and 3 of a MAC in one frame; \
     `strong`: a second frame with 2 bytes of a counter and 6 of a MAC.",
);

impl Authentication {
    /// What a model's keys name; `None` if they do not fit together, which is then in the
    /// diagnostics.
    pub(crate) fn of(values: &Values, diagnostics: &mut Diagnostics) -> Option<Self> {
        let scheme = Self::from_word(values.text(AUTHENTICATION.name)).unwrap_or(Self::None);
        if scheme != Self::None && values.text("transmit_order") == "identifier" {
            let message = format!(
                "`authentication` is {scheme}, and mailboxes that are emptied by identifier would \
                 let one message overtake another; set `transmit_order` to \"request\""
            );
            let span = values.span_of("transmit_order");
            diagnostics.report(Code::DOES_NOT_FIT, span, message, "breaks the order of messages");
            return None;
        }
        Some(scheme)
    }
}

/// A key from a random stream.
fn drawn(streams: Streams, name: &str) -> SecretKey {
    let mut key = [0; KEY_BYTES];
    streams.stream(name).fill_bytes(&mut key);
    SecretKey::new(key)
}

/// The key of a device that is this node.
pub(crate) fn device_key(streams: Streams, name: &str, node: u8) -> NodeKey {
    drawn(streams, &format!("device/{name}/can-key")).node_key(node)
}

/// The key that all nodes share.
pub(crate) fn shared_key(streams: Streams) -> SecretKey {
    drawn(streams, SHARED_KEY)
}

/// Which end of a network it is.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The master, with its slaves and their keys.
    Master(Vec<(u8, NodeKey)>),
    /// A slave, with its own key.
    Slave(u8, NodeKey),
}

/// What a node's end is provisioned with.
#[derive(Clone, Debug)]
pub(crate) struct GuardParts {
    pub(crate) authentication: Authentication,
    pub(crate) end: End,
    pub(crate) shared: SecretKey,
    /// How long the second frame of a message may take.
    pub(crate) pair_limit: SimDuration,
}

/// What a node's end keeps where no loss of power reaches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptCounters {
    pub(crate) sender: SenderRecord,
    /// Of each node that is heard, the counter of the last message accepted.
    pub(crate) last: BTreeMap<u8, u64>,
}

/// What came of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// A message counts once this is kept.
    Accepted(ReceiverRecord),
    /// A frame for the application.
    Frame(CanFrame),
    /// A message was refused.
    Refused(Refused),
    /// So many were refused that it is an attack.
    Alarm(Refused),
}

/// A message that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its identifier, that of the data if it has two.
    pub(crate) id: CanId,
    pub(crate) reason: Refusal,
    /// How many of this node were refused for this reason since the start.
    pub(crate) count: u64,
}

impl Refused {
    /// The node in its identifier.
    pub(crate) fn node(&self) -> u8 {
        node_of(self.id)
    }

    /// Whether it is to be noted: the first, and at each doubling.
    pub(crate) const fn is_noted(&self) -> bool {
        self.count.is_power_of_two()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, reason, count } = self;
        write!(f, "a message of {id} of node {} is refused: {reason}", self.node())?;
        write!(f, "; {count} so far")
    }
}

#[derive(Debug)]
enum Ends {
    Open,
    Paper { scheme: PaperScheme, receiver: PaperReceiver, next: u64 },
    Sealed { sender: Box<Sender>, receiver: Box<Receiver> },
}

/// One end of a network: seals and verifies.
#[derive(Debug)]
pub(crate) struct Guard {
    parts: GuardParts,
    ends: Ends,
    record: SenderRecord,
    /// Whether a resynchronisation goes ahead of the next message.
    must_resync: bool,
    counts: BTreeMap<(u8, &'static str), u64>,
}

fn node_of(id: CanId) -> u8 {
    id.value() as u8 & NODE_MAX
}

/// Whether the frame asks for a resynchronisation, or stands for one of this node.
pub(crate) fn is_resync(frame: &CanFrame) -> bool {
    !frame.id().is_extended() && frame.id().value() >> 5 == u32::from(RESYNC_REGISTER)
}

/// A remote frame that asks a node for a resynchronisation.
pub(crate) fn resync_request(node: u8) -> Option<CanFrame> {
    let id = CanId::standard(u32::from(RESYNC_REGISTER) << 5 | u32::from(node & NODE_MAX)).ok()?;
    CanFrame::remote(id, DATA_BYTES_MAX as u8).ok()
}

/// The identifiers under which a slave gets orders of this identifier, and the resynchronisations
/// of whoever sends them.
pub(crate) fn order_identifiers(authentication: Authentication, order: u16) -> Vec<u16> {
    use lastmeter_can::authentication::CLOSING;
    let resync = RESYNC_REGISTER << 5;
    match authentication {
        Authentication::None => vec![order],
        Authentication::Paper => vec![order, order | CLOSING],
        Authentication::Compact => vec![order, resync, resync | CLOSING],
        Authentication::Strong => vec![order, order | CLOSING, resync, resync | CLOSING],
    }
}

impl Guard {
    /// An end that has just started, with what it had kept.
    pub(crate) fn new(parts: GuardParts, kept: &KeptCounters) -> Self {
        let scheme = match parts.authentication {
            Authentication::None | Authentication::Paper => None,
            Authentication::Compact => Some(Scheme::Compact),
            Authentication::Strong => Some(Scheme::Strong),
        };
        let ends = match scheme {
            Some(scheme) => sealed(&parts, scheme, kept),
            None if parts.authentication == Authentication::None => Ends::Open,
            None => {
                let scheme = PaperScheme::as_written(parts.shared.clone());
                let receiver = PaperReceiver::new(scheme.clone());
                Ends::Paper { scheme, receiver, next: kept.sender.first_free }
            }
        };
        let must_resync = matches!(ends, Ends::Sealed { .. });
        Self { parts, ends, record: kept.sender, must_resync, counts: BTreeMap::new() }
    }

    /// It has lost what it did not keep.
    pub(crate) fn restart(&mut self, kept: &KeptCounters) {
        *self = Self::new(self.parts.clone(), kept);
    }

    /// A resynchronisation goes ahead of the next message.
    pub(crate) fn resync_ahead(&mut self) {
        self.must_resync = matches!(self.ends, Ends::Sealed { .. });
    }

    /// What has to be kept durably before it can go on sealing for long; [`Self::kept`] once it is.
    pub(crate) fn to_keep(&self) -> Option<SenderRecord> {
        let left = match &self.ends {
            Ends::Open => return None,
            Ends::Paper { next, .. } => self.record.first_free.saturating_sub(*next),
            Ends::Sealed { sender, .. } => sender.reserved(),
        };
        let first_free = self.record.first_free.saturating_add(u64::from(BLOCK));
        (left < u64::from(BLOCK / 2)).then_some(SenderRecord { first_free })
    }

    /// What was to be kept is durable.
    pub(crate) fn kept(&mut self) {
        let Some(record) = self.to_keep() else { return };
        self.record = record;
        if let Ends::Sealed { sender, .. } = &mut self.ends {
            let Ok(()) = sender.reserve(BLOCK, |_| Ok::<_, Infallible>(()));
        }
    }

    /// The frames of a message, in their order. A remote frame passes as it is.
    ///
    /// # Errors
    /// It is of another layout than the scheme has, or no counters are reserved.
    pub(crate) fn seal(&mut self, frame: CanFrame) -> Result<Vec<CanFrame>, SealError> {
        if frame.is_remote() {
            return Ok(vec![frame]);
        }
        match &mut self.ends {
            Ends::Open => Ok(vec![frame]),
            Ends::Paper { scheme, next, .. } => {
                let sync = u32::try_from(*next).ok().filter(|_| *next < self.record.first_free);
                let sync = sync.ok_or(SealError::NotReserved { counter: *next })?;
                *next += 1;
                scheme.seal(frame.id(), frame.bytes(), sync)
            }
            Ends::Sealed { sender, .. } => {
                let mut frames = if self.must_resync { sender.resync()? } else { Vec::new() };
                frames.extend(sender.seal(frame.id(), frame.bytes())?);
                self.must_resync = false;
                Ok(frames)
            }
        }
    }

    /// The frames of a resynchronisation; none of a scheme that has none.
    ///
    /// # Errors
    /// No counters are reserved.
    pub(crate) fn resync(&mut self) -> Result<Vec<CanFrame>, SealError> {
        let Ends::Sealed { sender, .. } = &mut self.ends else { return Ok(Vec::new()) };
        let frames = sender.resync()?;
        self.must_resync = false;
        Ok(frames)
    }

    /// What comes of a frame. A remote frame passes as it is.
    pub(crate) fn open(&mut self, now: SimTime, frame: CanFrame) -> Vec<Opened> {
        if frame.is_remote() {
            return vec![Opened::Frame(frame)];
        }
        let mut opened = Vec::new();
        let counts = &mut self.counts;
        let mut refused = |id: CanId, reason: Refusal| {
            let count = counts.entry((node_of(id), reason.word())).or_default();
            *count += 1;
            Refused { id, reason, count: *count }
        };
        match &mut self.ends {
            Ends::Open => opened.push(Opened::Frame(frame)),
            Ends::Paper { receiver, .. } => {
                let result = receiver.receive(now, &frame);
                let plain = |message: lastmeter_can::authentication::paper::PaperMessage| {
                    CanFrame::data(message.id, &message.message).map_err(|_| Refusal::Malformed)
                };
                opened.extend(result.map(|result| match result.and_then(plain) {
                    Ok(frame) => Opened::Frame(frame),
                    Err(reason) => Opened::Refused(refused(frame.id(), reason)),
                }));
            }
            Ends::Sealed { receiver, .. } => receiver.receive(now, &frame, |event| match event {
                Event::Verified(verified) => {
                    let record = verified.record();
                    opened.push(Opened::Accepted(record));
                    let Ok(message) = verified.keep(|_| Ok::<_, Infallible>(()));
                    if !message.is_resync() {
                        opened.push(Opened::Frame(message.frame));
                    }
                }
                Event::Refused { id, reason } => {
                    opened.push(Opened::Refused(refused(id, reason)));
                }
                // It follows the refusal that has raised it.
                Event::Alarm { .. } => {
                    if let Some(Opened::Refused(last)) = opened.last() {
                        opened.push(Opened::Alarm(*last));
                    }
                }
            }),
        }
        opened
    }
}

fn sealed(parts: &GuardParts, scheme: Scheme, kept: &KeptCounters) -> Ends {
    let all = parts.shared.node_key(ALL_NODES);
    // Without a lock-out an attacker who guesses keeps no node from being heard.
    let settings = Settings { pair_limit: parts.pair_limit, lock_out: None };
    let (own, key, directions, heard) = match &parts.end {
        End::Master(slaves) => {
            let directions = (Direction::FromMaster, Direction::ToMaster);
            (ALL_NODES, &all, directions, slaves.clone())
        }
        End::Slave(node, key) => {
            let directions = (Direction::ToMaster, Direction::FromMaster);
            (*node, key, directions, vec![(ALL_NODES, all.clone())])
        }
    };
    let mut receiver = Receiver::new(scheme, directions.1, settings);
    for (node, key) in heard {
        let last = kept.last.get(&node).copied().unwrap_or(0);
        receiver.add_sender(&key, ReceiverRecord { node, last });
    }
    let sender = Box::new(Sender::new(scheme, own, directions.0, key, kept.sender));
    Ends::Sealed { sender, receiver: Box::new(receiver) }
}
