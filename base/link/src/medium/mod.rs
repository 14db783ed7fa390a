#![allow(missing_docs)]
//! stub
use chacha20::ChaCha8Rng;
use lastmeter_params::{Entry, Values};
use lastmeter_units::SimTime;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    Master,
    Slave(usize),
}
pub struct Arrival {
    pub to: Party,
    pub at: SimTime,
    pub bytes: Vec<u8>,
    pub bits_per_second: u32,
}
pub enum Medium {
    None,
}
impl Medium {
    pub fn next(&self) -> Option<SimTime> {
        None
    }
    pub fn pop(&mut self, _until: SimTime) -> Option<Arrival> {
        None
    }
    pub fn transmit(&mut self, _from: Party, _at: SimTime, _bps: u32, _bytes: &[u8]) {}
    pub fn bits_per_second(&self) -> u32 {
        2400
    }
}
pub struct NetworkKind {
    pub entry: Entry,
    pub build: fn(&Values, usize, &ChaCha8Rng) -> Medium,
}
pub static NETWORKS: &[NetworkKind] = &[];
