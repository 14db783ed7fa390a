//! Charts and the look that they share, from outside.
//!
//! One program, since each more is linked by itself.

mod boxes;
mod kinds;
mod tokens;
