//! The parts of a page: what it shows of a record, its texts and tables, and pictures with their
//! data.
//!
//! The page needs no network and no other file; texts of the record (device names, refused
//! payloads) are escaped wherever they stand.

pub(crate) mod bins;
pub(crate) mod collect;
mod diagram;
pub(crate) mod figure;
pub(crate) mod page;
pub(crate) mod pictures;
pub(crate) mod plot;
pub(crate) mod svg;
pub(crate) mod template;
pub(crate) mod ticks;
pub(crate) mod under_test;
pub(crate) mod units;
