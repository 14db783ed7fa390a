//! A meter from outside: what it reports about known signals, and how it talks.

mod accuracy;
mod behaviour;
mod clipping;
mod cvct_windows;
mod fault_recorder;
mod m_bus;
mod models;
mod phases;
mod pipes;
mod quality;
mod room_sensor;
mod smart_plug;
mod supply;
mod support;
mod switchgear;
mod tamper;
mod voltage_events;
