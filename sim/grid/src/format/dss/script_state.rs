//! What the scripts have made so far: objects, and what holds for all of them.

use std::collections::BTreeMap;

use super::class::{Class, LineCode, State};
use crate::network::Place;

/// An object and where it was made.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) class: Class,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) enabled: bool,
    pub(super) place: Place,
    pub(super) file: String,
}

#[derive(Debug)]
pub(super) struct ScriptState {
    pub(super) circuit: Option<String>,
    pub(super) frequency_hz: f64,
    pub(super) objects: Vec<Object>,
    pub(super) index: BTreeMap<(Class, String), usize>,
    pub(super) voltage_bases_kv: Vec<f64>,
    pub(super) node_bases_kv: BTreeMap<String, f64>,
    pub(super) positions: BTreeMap<String, (f64, f64)>,
    pub(super) load_multiplier: f64,
    /// By which loads grow in a year, and the year.
    pub(super) growth: f64,
    pub(super) year: i32,
    pub(super) controlled: bool,
}

impl Default for ScriptState {
    fn default() -> Self {
        Self {
            circuit: None,
            frequency_hz: 0.0,
            objects: Vec::new(),
            index: BTreeMap::new(),
            voltage_bases_kv: Vec::new(),
            node_bases_kv: BTreeMap::new(),
            positions: BTreeMap::new(),
            load_multiplier: 1.0,
            growth: 1.025,
            year: 0,
            controlled: true,
        }
    }
}

impl ScriptState {
    /// By what a load's power is multiplied; the load multiplier leaves some alone.
    pub(super) fn load_factor(&self, is_fixed: bool) -> f64 {
        let grown = if self.year == 0 { 1.0 } else { self.growth.powi(self.year - 1) };
        if is_fixed { grown } else { self.load_multiplier * grown }
    }

    pub(super) fn find(&self, class: Class, name: &str) -> Option<usize> {
        self.index.get(&(class, name.to_ascii_lowercase())).copied()
    }

    pub(super) fn line_code(&self, name: &str) -> Option<LineCode> {
        match &self.objects[self.find(Class::LineCode, name)?].state {
            State::LineCode(code) => Some(code.clone()),
            _ => None,
        }
    }

    /// Whether a load shape gives kilowatts.
    pub(super) fn is_actual(&self, name: &str) -> bool {
        self.find(Class::LoadShape, name).is_some_and(|at| match &self.objects[at].state {
            State::LoadShape(shape) => shape.is_actual,
            _ => false,
        })
    }
}
