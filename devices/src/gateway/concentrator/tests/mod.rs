//! The concentrator against slaves, a disk and a platform.

mod bench;
mod outages;
mod polling;
mod restarts;
mod searching;
