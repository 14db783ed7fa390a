//! A serial line at a server of RFC 2217, such as `ser2net`: Telnet with COM-PORT-OPTION.
//!
//! The protocol itself is [`client`], without I/O. Flow control by subnegotiation is not followed:
//! a server whose line is slower takes no more from TCP.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lastmeter_params::Entry;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::host_and_port;
use super::{AddressForm, ChannelAddress, ChannelSettings, TransportKind, tcp, tty};
use client::Client;

mod client;

/// How long the server may take to set the line.
const NEGOTIATION_LIMIT: Duration = Duration::from_secs(3);
/// With so many bytes that the server has not taken, nothing more is read from it: what it asks
/// makes answers.
const BACKLOG_LIMIT: usize = 1 << 14;
/// How many bytes are escaped at once.
const PIECE_BYTES: usize = 1 << 12;

pub(super) const RFC2217: TransportKind = TransportKind {
    entry: Entry {
        name: "rfc2217",
        summary: "a serial line at a server of RFC 2217, such as ser2net",
        description: "Connects to a server that has a serial line and offers Telnet's \
            COM-PORT-OPTION (RFC 2217), and sets the line: baud rate, parity, data and stop bits. \
            The channel is up once the server has confirmed them, within 3 s; bytes that it sent \
            before are not handed over. If it sets something else, cannot be reached, or the \
            connection is lost, the next attempt follows after 0.1 s, and each further one after \
            twice the time, at most 5 s. For a server that carries bytes and nothing else there is \
            `tcp`.",
        fields: tty::FIELDS,
    },
    address: Some(AddressForm {
        prefix: "rfc2217",
        form: "rfc2217:HOST:PORT",
        parse: |rest| Ok(ChannelAddress::Rfc2217(host_and_port(rest)?)),
    }),
};

/// Connects to a server, and has it set the line.
pub(super) async fn connect(to: &str, settings: ChannelSettings) -> io::Result<RemoteLine> {
    let state = State { client: Client::new(settings), arrived: Vec::new(), accepted: 0 };
    let line = RemoteLine { stream: tcp::connect(to).await?, state: Mutex::new(state) };
    let missing = || line.state().client.missing().unwrap_or_default();
    match timeout(NEGOTIATION_LIMIT, line.negotiate()).await {
        Ok(Ok(true)) => Ok(line),
        Ok(Ok(false)) => {
            let message = format!("the server closed before its {}", missing());
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let limit = NEGOTIATION_LIMIT.as_secs();
            let message = format!("within {limit} s the server sent no {}", missing());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}

#[derive(Debug)]
struct State {
    client: Client,
    /// Bytes from the line that nobody has read yet.
    arrived: Vec<u8>,
    /// Bytes of the write that was begun which are on their way.
    accepted: usize,
}

/// A connection to a server that has set its line.
#[derive(Debug)]
pub(super) struct RemoteLine {
    stream: TcpStream,
    state: Mutex<State>,
}

impl RemoteLine {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the kernel what it takes; how many bytes are left.
    fn flush(&self) -> io::Result<usize> {
        let mut state = self.state();
        let out = state.client.out();
        while !out.is_empty() {
            match self.stream.try_write(out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(out.len())
    }

    /// Takes what the server sent, and answers it; false at the end of the stream. It can be
    /// cancelled without a loss.
    async fn take(&self) -> io::Result<bool> {
        loop {
            let interest = match self.flush()? {
                0 => Interest::READABLE,
                BACKLOG_LIMIT.. => Interest::WRITABLE,
                _ => Interest::READABLE | Interest::WRITABLE,
            };
            if !self.stream.ready(interest).await?.is_readable() {
                continue;
            }
            let mut wire = [0; PIECE_BYTES];
            match self.stream.try_read(&mut wire) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    let State { client, arrived, .. } = &mut *self.state();
                    let wire = wire.get(..count).unwrap_or_default();
                    client.receive(wire, arrived).map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            self.flush()?;
            return Ok(true);
        }
    }

    /// Until the line is set; false if the server closed before.
    async fn negotiate(&self) -> io::Result<bool> {
        while !self.state().client.is_ready() {
            if !self.take().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves bytes from the line to a buffer; how many.
    fn hand_over(&self, buffer: &mut [u8]) -> usize {
        let arrived = &mut self.state().arrived;
        let count = arrived.len().min(buffer.len());
        buffer.iter_mut().zip(arrived.drain(..count)).for_each(|(place, byte)| *place = byte);
        count
    }

    /// Reads what is there; 0 at the end of the stream.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.hand_over(buffer);
            if count > 0 {
                return Ok(count);
            }
            if !self.take().await? {
                return Ok(0);
            }
        }
    }

    /// Writes some of the bytes. If it is cancelled, it goes on when it is called with the same
    /// bytes again.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        {
            let State { client, accepted, .. } = &mut *self.state();
            if *accepted == 0 {
                *accepted = bytes.len().min(PIECE_BYTES);
                client.send(bytes.get(..*accepted).unwrap_or_default());
            }
        }
        while self.flush()? > 0 {
            self.stream.writable().await?;
        }
        Ok(std::mem::take(&mut self.state().accepted))
    }

    /// Asks for another baud rate behind what was sent; that the server sets another one ends the
    /// connection when it reports it.
    pub(super) fn set_baud(&self, baud: u32) -> io::Result<()> {
        self.state().client.set_baud(baud);
        self.flush()?;
        Ok(())
    }
}
