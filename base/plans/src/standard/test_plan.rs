//! A standard's tests, or what a publication measured, as its file has them.

use super::model::{Connection, MissingClause, Symbol, Test, Waveform};
use super::published::{Published, Surface};

/// A standard's tests, with all that its file defines.
#[derive(Clone, Debug, PartialEq)]
pub struct TestPlan {
    /// Its name, as a scenario's `standard` chooses it.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// The edition all limits are of that name no other.
    pub edition: String,
    /// What it leaves open, for people.
    pub notes: String,
    /// The classes, strictest first.
    pub classes: Vec<String>,
    /// The class that is claimed where a scenario names none.
    pub default_class: usize,
    /// The connections it is for.
    pub connections: Vec<Connection>,
    /// Nominal voltage in volts.
    pub nominal_voltage: f64,
    /// By connection: nominal and maximum current in amperes.
    pub currents: [(f64, f64); 2],
    /// Nominal frequency in hertz.
    pub frequency: f64,
    /// Reference temperature in degrees Celsius.
    pub temperature: f64,
    /// Named currents, as expressions use them.
    pub symbols: Vec<Symbol>,
    /// Waveforms; the first is the sine.
    pub waveforms: Vec<Waveform>,
    /// The tests, in the order of the file.
    pub tests: Vec<Test>,
    /// The clauses of the standard that none of them plays.
    pub missing_clauses: Vec<MissingClause>,
    /// Sweeps: tests without limits, whose points are compared with published values.
    pub sweeps: Vec<Test>,
    /// Published values, held against a sweep.
    pub published: Vec<Published>,
    /// What is drawn over the sweeps.
    pub surfaces: Vec<Surface>,
    /// The text it was read from.
    pub text: String,
}

impl TestPlan {
    /// The index of a class.
    pub fn class(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| class == name)
    }

    /// How many figures of limits there are, and how many of them are confirmed.
    pub fn confirmation(&self) -> (usize, usize) {
        let rows = || self.tests.iter().flat_map(|test| &test.limits);
        let all = rows().map(|limit| limit.values.len()).sum();
        let confirmed = rows().filter(|limit| limit.confirmed);
        (all, confirmed.map(|limit| limit.values.len()).sum())
    }
}
