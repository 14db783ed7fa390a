//! ZigBee of a home as a gateway carries it to a platform.
//!
//! | module | source | what |
//! |---|---|---|
//! | [`address`] | IEEE 802.15.4 | addresses of nodes |
//! | [`opcode`], [`packet`], [`payload`] | `docs/gateway-protocol.md` | what a packet is for, its layout, what it holds |
//! | [`keys`] | RFC 3610, RFC 4493, NIST SP 800-108 | keys of a network and of a connection |
//! | [`delivery`] | `docs/gateway-protocol.md` | what a gateway sent is stored once |
//! | [`session`] | `docs/gateway-protocol.md` | both ends of a gateway's connection |

pub mod address;
pub mod delivery;
pub mod keys;
pub mod opcode;
pub mod packet;
pub mod payload;
pub mod session;
