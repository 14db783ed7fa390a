//! Tests of the check beside it.
