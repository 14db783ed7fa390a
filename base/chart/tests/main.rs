//! Charts and the look that they share, from outside.
//!
//! One program, since each more is linked by itself.

#[expect(clippy::unwrap_used, reason = "a picture that cannot be read fails its test")]
mod boxes;
mod kinds;
mod tokens;
