//! A serial line of this machine.
//!
//! A byte received with a wrong parity bit is handed over as it is; whoever reads telegrams has
//! their checksums.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use lastmeter_params::{Entry, Field, Kind, Values};
use serial2_tokio::{CharSize, SerialPort, Settings, StopBits};

use super::address::path;
use super::{AddressForm, ChannelAddress, ChannelSettings, TransportKind};

/// Linux' device numbers of pseudo-terminals, which have no line and so no parity
/// (Documentation/admin-guide/devices.txt).
const PTY_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

lastmeter_units::words! {
    /// The parity bit of a byte on a serial line.
    pub enum Parity {
        /// There is none.
        None = "none",
        /// The number of ones is even, as M-Bus has it.
        Even = "even",
        /// The number of ones is odd.
        Odd = "odd",
    }
}

pub(super) static FIELDS: &[Field] = &[
    Field::default(
        "baud",
        Kind::Integer { min: 50, max: 4_000_000 },
        "2400",
        "Baud rate when the line is opened",
    ),
    Field::default(
        "parity",
        Kind::Choice(Parity::WORDS),
        "\"even\"",
        "The parity bit; M-Bus has an even one",
    ),
    Field::default("data_bits", Kind::Integer { min: 5, max: 8 }, "8", "Data bits of a byte"),
    Field::default("stop_bits", Kind::Integer { min: 1, max: 2 }, "1", "Stop bits of a byte"),
];

pub(super) const TTY: TransportKind = TransportKind {
    entry: Entry {
        name: "tty",
        summary: "a serial line of this machine",
        description: "A serial line, such as that of a level converter for M-Bus on USB. It is set \
            to raw mode without flow control. If it vanishes, the channel is down until it can be \
            opened again. On a pseudo-terminal the parity has no effect.",
        fields: FIELDS,
    },
    address: Some(AddressForm {
        prefix: "tty",
        form: "tty:PATH",
        parse: |rest| Ok(ChannelAddress::Tty(path(rest)?)),
    }),
};

/// What the checked keys mean.
pub(super) fn read_settings(values: &Values) -> ChannelSettings {
    // The bounds of the fields are within these types.
    ChannelSettings {
        baud: u32::try_from(values.integer("baud")).unwrap_or(u32::MAX),
        parity: Parity::from_word(values.text("parity")).unwrap_or(Parity::None),
        data_bits: u8::try_from(values.integer("data_bits")).unwrap_or(8),
        stop_bits: u8::try_from(values.integer("stop_bits")).unwrap_or(1),
    }
}

/// Whether there are lines with such settings.
pub(super) fn check(wanted: ChannelSettings) -> io::Result<()> {
    if !(5..=8).contains(&wanted.data_bits) || !(1..=2).contains(&wanted.stop_bits) {
        let message = format!(
            "found {} data bits and {} stop bits; expected 5 to 8 and 1 or 2",
            wanted.data_bits, wanted.stop_bits
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

pub(super) fn open(path: &Path, wanted: ChannelSettings) -> io::Result<SerialPort> {
    check(wanted)?;
    let number = std::fs::metadata(path)?.rdev();
    let is_pty = PTY_MAJORS.contains(&rustix::fs::major(number));
    SerialPort::open(path, |mut settings: Settings| {
        settings.set_raw();
        settings.set_baud_rate(wanted.baud)?;
        settings.set_parity(match wanted.parity {
            Parity::Even if !is_pty => serial2_tokio::Parity::Even,
            Parity::Odd if !is_pty => serial2_tokio::Parity::Odd,
            _ => serial2_tokio::Parity::None,
        });
        settings.set_char_size(match wanted.data_bits {
            5 if !is_pty => CharSize::Bits5,
            6 if !is_pty => CharSize::Bits6,
            7 if !is_pty => CharSize::Bits7,
            _ => CharSize::Bits8,
        });
        settings.set_stop_bits(if wanted.stop_bits == 2 { StopBits::Two } else { StopBits::One });
        Ok(settings)
    })
}

pub(super) fn set_baud(port: &mut SerialPort, baud: u32) -> io::Result<()> {
    let mut settings = port.get_configuration()?;
    settings.set_baud_rate(baud)?;
    port.set_configuration(&settings)
}
