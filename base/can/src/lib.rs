//! CAN frames (ISO 11898-1) and how they pass a serial line: SLCAN adapters and their hosts.
//!
//! Pure: bytes and frames in, bytes and frames out; no I/O, no clock.
