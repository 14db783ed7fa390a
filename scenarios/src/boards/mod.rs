//! Boards: those that come with the program, and those of files beside a scenario.

pub(crate) mod shipped;
