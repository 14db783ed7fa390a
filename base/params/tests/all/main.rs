//! Tests of what may be written and of what is reported when it does not fit.

mod properties;
mod quantities;
mod reading;
mod schemas;
