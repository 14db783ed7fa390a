//! ZigBee of a home as a gateway carries it to a platform.
//!
//! Pure: bytes in, values out, and the reverse; no I/O, no clock. No bytes make it panic.
//!
//! | module | source | what |
//! |---|---|---|
//! | [`address`] | IEEE 802.15.4 | addresses of nodes |
//! | [`zcl`] | ZigBee Cluster Library (07-5123), chapters 2, 3, 4, 8, 10, 11 | frames, typed attributes, the clusters of a metering plug |
//! | [`scale`] | the same, chapters 4 and 10 | attributes to quantities in SI units, by multipliers and divisors |
//! | [`image`] | the same, 11.4, and ZigBee specification (05-3474), B.6 | files of program images, and whether one is whole |
//! | [`zdp`] | ZigBee specification (05-3474), 2.4 | nodes that announce themselves and leave |
//! | [`relay`] | `docs/gateway-protocol.md` | what a gateway relays: a node's addresses and its frame |
//! | [`capture`] | IEEE 802.15.4, ZigBee specification (05-3474), 2.2 and 3.3 | relayed frames as a capture file |
//! | [`opcode`], [`packet`], [`payload`] | `docs/gateway-protocol.md` | what a packet is for, its layout, what it holds |
//! | [`keys`] | RFC 3610, RFC 4493, NIST SP 800-108 | keys of a network and of a connection |
//! | [`delivery`] | `docs/gateway-protocol.md` | what a gateway sent is stored once |
//! | [`session`] | `docs/gateway-protocol.md` | both ends of a gateway's connection |
//! | [`network`] | ZigBee specification (05-3474), 2.2 and 3.6 | coordinator and nodes as machines: join, leave, rejoin, acknowledged frames |
//! | [`gateway`] | `docs/gateway-protocol.md` | a transparent gateway: the coordinator and its packets |
//! | [`bytes`] | | fields of a node's frame, read from front to back |

pub mod address;
pub mod bytes;
pub mod capture;
pub mod delivery;
pub mod gateway;
pub mod image;
pub mod keys;
pub mod network;
pub mod opcode;
pub mod packet;
pub mod payload;
pub mod relay;
pub mod scale;
pub mod session;
pub mod zcl;
pub mod zdp;
