//! Addresses of channels as people write them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::TRANSPORTS;

/// What the path of a serial line may begin with instead of `tty:`.
const DEVICE_FOLDER: &str = "/dev/";
/// The prefix of other programs for serial lines at servers, with or without `//`.
const RFC_2217: &str = "rfc2217";

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelAddress {
    /// A new pseudo-terminal, with a symbolic link of this path to the side for the other program.
    Pty(Option<PathBuf>),
    /// A serial line.
    Tty(PathBuf),
    /// A TCP port to connect to, `HOST:PORT`.
    TcpConnect(String),
    /// A TCP port of this machine to listen on, `HOST:PORT`.
    TcpListen(String),
    /// A UDP port to exchange datagrams with, `HOST:PORT`.
    Udp(String),
    /// A UDP port of this machine that others send to, `HOST:PORT`.
    UdpListen(String),
    /// A Unix domain socket of this machine to connect to.
    Unix(PathBuf),
}

/// A text that is not the address of a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not the address of a channel: expected {expected}")]
pub struct AddressError {
    /// The text that is no address.
    pub found: String,
    /// What was expected instead.
    pub expected: String,
}

impl FromStr for ChannelAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |expected: String| AddressError { found: text.to_owned(), expected };
        if text.starts_with(DEVICE_FOLDER) {
            return Ok(Self::Tty(PathBuf::from(text)));
        }
        let (prefix, rest) = match text.split_once(':') {
            Some((prefix, rest)) => (prefix, Some(rest)),
            None => (text, None),
        };
        let forms = || TRANSPORTS.iter().filter_map(|kind| kind.address);
        if let Some(form) = forms().find(|form| form.prefix == prefix) {
            return (form.parse)(rest)
                .map_err(|expected| error(format!("{expected}, as in `{}`", form.form)));
        }
        if prefix == RFC_2217 {
            let expected = "`tcp:HOST:PORT`: RFC 2217 is not supported; have the server, such as \
                            ser2net, offer the line as raw TCP, and set its baud rate there";
            return Err(error(expected.to_owned()));
        }
        let all: Vec<String> = forms().map(|form| format!("`{}`", form.form)).collect();
        Err(error(format!("one of {}, or the path of a device", all.join(", "))))
    }
}

impl fmt::Display for ChannelAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pty(None) => f.write_str("pty"),
            Self::Pty(Some(path)) => write!(f, "pty:{}", path.display()),
            Self::Tty(path) => write!(f, "tty:{}", path.display()),
            Self::TcpConnect(at) => write!(f, "tcp:{at}"),
            Self::TcpListen(at) => write!(f, "tcp-listen:{at}"),
            Self::Udp(at) => write!(f, "udp:{at}"),
            Self::UdpListen(at) => write!(f, "udp-listen:{at}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ChannelAddress {
    /// Whether it is a stream of bytes that is opened from here, so that it can be opened again.
    #[must_use]
    pub const fn connects_to_streams(&self) -> bool {
        match self {
            Self::TcpConnect(_) | Self::Unix(_) => true,
            Self::Pty(_)
            | Self::Tty(_)
            | Self::TcpListen(_)
            | Self::Udp(_)
            | Self::UdpListen(_) => false,
        }
    }
}

pub(super) fn host_and_port(rest: Option<&str>) -> Result<String, &'static str> {
    const EXPECTED: &str = "a host and a port from 0 to 65535";
    let text = rest.ok_or(EXPECTED)?;
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.is_empty() || is_bare_ipv6 || !is_port {
        return Err(EXPECTED);
    }
    Ok(text.to_owned())
}

pub(super) fn path(rest: Option<&str>) -> Result<PathBuf, &'static str> {
    rest.filter(|path| !path.is_empty()).map(PathBuf::from).ok_or("a path")
}
