//! Tests of REST.
