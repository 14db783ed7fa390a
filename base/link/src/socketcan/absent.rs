//! What stands for interfaces in builds without them.

use std::convert::Infallible;
use std::future::Ready;

use lastmeter_can::frame::CanFrame;

use super::{CanArrival, InterfaceName, SocketCanError};

/// An interface, of which this build has none.
#[derive(Debug)]
pub struct CanInterface(Infallible);

impl CanInterface {
    /// Always [`SocketCanError::NotBuilt`].
    pub const fn open(_name: &InterfaceName) -> Result<Self, SocketCanError> {
        Err(SocketCanError::NotBuilt)
    }

    /// Never called, as there is none.
    pub fn recv(&mut self) -> Ready<Result<CanArrival, SocketCanError>> {
        match self.0 {}
    }

    /// Never called, as there is none.
    pub fn send(&self, _frame: &CanFrame) -> Ready<Result<(), SocketCanError>> {
        match self.0 {}
    }
}
