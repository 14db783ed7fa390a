//! The parts of a metering node that decide when it answers and what it still knows after a loss of
//! power: its processor with its tasks, and its non-volatile memory.
//!
//! | module | what |
//! |---|---|
//! | [`eeprom`] | registers in non-volatile memory: wear, and loss of power in mid-write |
//! | [`processor`] | tasks and interrupts on one processor: fixed priorities, pre-emptive |

pub mod eeprom;
pub mod processor;
