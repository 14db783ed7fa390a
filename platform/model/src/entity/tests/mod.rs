//! Tests of the kinds of documents.

mod boundary;
mod command;
mod history;
mod kinds;
mod sample;
mod tariff;
