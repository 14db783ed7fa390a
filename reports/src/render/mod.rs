//! The parts of a page: what it shows of a record, its texts and tables, and pictures with their
//! data.
//!
//! `collect` reads the record once, in bounded memory; `page` makes rows of tables of it,
//! `pictures` the timeline and the bench (`diagram`, `under_test`) in
//! `units`; `template` fills in HTML.
//! `figure` is a picture with its data as files, drawn by `lastmeter_chart`.
//!
//! The page needs no network and no other file; texts of the record (device names, refused
//! payloads) are escaped wherever they stand.

pub(crate) mod collect;
mod diagram;
pub(crate) mod figure;
pub(crate) mod page;
pub(crate) mod pictures;
pub(crate) mod template;
pub(crate) mod under_test;
pub(crate) mod units;
