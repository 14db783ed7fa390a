//! The stand-alone commands.

pub mod accuracy;
pub mod boards;
pub mod can;
pub mod certificates;
pub mod device;
pub mod doctor;
mod ending;
pub mod gateway;
pub mod grid;
pub mod inspect;
pub mod measure;
pub mod rts;
pub mod serve;
