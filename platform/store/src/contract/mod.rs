//! Tests that every store has to pass.
