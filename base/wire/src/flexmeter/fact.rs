//! The names of the facts that alerts and readings of our own devices carry in `metadata`: units in
//! the names, numbers written so that they read back as the same number.

/// What kind of thing happened: `dip`, `last_gasp`, `cover_opened`, `silent`, ...
pub const KIND: &str = "kind";
/// A phase: `l1`, `l2` or `l3`.
pub const PHASE: &str = "phase";
/// The residual voltage of an event, of a swell the highest voltage; volts.
pub const RESIDUAL_V: &str = "residual_v";
/// How long it lasted, seconds.
pub const DURATION_S: &str = "duration_s";
/// The node of the network that the sender is connected to.
pub const NODE: &str = "node";
/// The unique ids of the nodes that have one number, in hexadecimal digits, with a space between.
pub const UNIQUE_IDS: &str = "unique_ids";
/// The device that a gateway reports about, by its name.
pub const DEVICE: &str = "device";
/// The place of the field network among those of a gateway, from 0.
pub const NETWORK: &str = "network";
/// How many polls were without an answer.
pub const POLLS: &str = "polls";
/// A status byte, decimal.
pub const STATUS: &str = "status";
/// The simulator that an adapter reports about, by its name.
pub const SIMULATOR: &str = "simulator";
/// The part of the coupling that it is about: `card`.
pub const COMPONENT: &str = "component";
/// A point of a simulator.
pub const POINT: &str = "point";
/// The number of a frame.
pub const FRAME: &str = "frame";
/// Why messages were refused: `wrong-tag`, `replayed`, ...
pub const REASON: &str = "reason";
/// How many frames, messages or writes it is about.
pub const COUNT: &str = "count";
/// The block of samples that an alert is about: `EPOCH/SERIAL`.
pub const BLOCK: &str = "block";
/// Which share of the samples that a reading should rest on could be used, from 0 to 1; all of
/// them where a reading does not state it.
pub const USABLE: &str = "usable";
