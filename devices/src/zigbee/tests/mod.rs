//! Tests of nodes of a ZigBee network: their attributes, their reports, and what they do when their
//! power goes. The other end is the coordinator of the network with frames typed in here.

mod home;
mod plug;
mod sensor;
mod upgrade;
