//! Tests of the kinds of documents.

mod boundary;
mod command;
mod consistency;
mod history;
mod kinds;
mod sample;
