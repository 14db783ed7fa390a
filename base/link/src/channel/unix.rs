//! A Unix domain socket of this machine, such as the serial port of an emulated board.

use std::io;
use std::path::Path;

use lastmeter_params::Entry;
use tokio::net::UnixStream;

use super::address::path;
use super::{AddressForm, ChannelAddress, TransportKind};

pub(super) const UNIX: TransportKind = TransportKind {
    entry: Entry {
        name: "unix",
        summary: "a Unix domain socket to connect to",
        description: "Connects to a stream socket of this machine by its path, as emulators and \
            `socat` offer them for serial ports. If it is not there or the connection is lost, the \
            next attempt follows after 0.1 s, and each further one after twice the time, at most \
            5 s. Baud rate and parity have no effect.",
        fields: &[],
    },
    address: Some(AddressForm {
        prefix: "unix",
        form: "unix:PATH",
        parse: |rest| Ok(ChannelAddress::Unix(path(rest)?)),
    }),
};

pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}
