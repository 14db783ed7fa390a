//! Addresses, transports and their keys.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lastmeter_link::channel::{
    Channel, ChannelAddress, ChannelError, ChannelSettings, Parity, TRANSPORTS,
};
use lastmeter_params::read_text;

#[test]
fn addresses_are_read_and_shown() {
    let tty = || ChannelAddress::Tty(PathBuf::from("/dev/ttyUSB0"));
    for (text, expected) in [
        ("pty", ChannelAddress::Pty(None)),
        ("pty:bus/line", ChannelAddress::Pty(Some(PathBuf::from("bus/line")))),
        ("tty:/dev/ttyUSB0", tty()),
        ("tcp:gateway:4711", ChannelAddress::TcpConnect("gateway:4711".to_owned())),
        ("tcp:[::1]:4711", ChannelAddress::TcpConnect("[::1]:4711".to_owned())),
        ("tcp-listen:0.0.0.0:0", ChannelAddress::TcpListen("0.0.0.0:0".to_owned())),
        ("udp:10.0.0.1:10001", ChannelAddress::Udp("10.0.0.1:10001".to_owned())),
        ("udp-listen:[::1]:7000", ChannelAddress::UdpListen("[::1]:7000".to_owned())),
    ] {
        assert_eq!(text.parse(), Ok(expected));
        assert_eq!(text.parse::<ChannelAddress>().unwrap().to_string(), text);
    }
    assert_eq!("/dev/ttyUSB0".parse(), Ok(tty()));
}

#[test]
fn what_is_no_address_is_rejected_with_what_was_expected() {
    let all = "one of `pty[:PATH]`, `tty:PATH`, `tcp:HOST:PORT`, `tcp-listen:HOST:PORT`, \
        `udp:HOST:PORT`, `udp-listen:HOST:PORT`, `unix:PATH`, or the path of a device";
    let raw_tcp = "`tcp:HOST:PORT`: RFC 2217 is not supported; have the server, such as ser2net, \
        offer the line as raw TCP, and set its baud rate there";
    let port = |form: &str| format!("a host and a port from 0 to 65535, as in `{form}:HOST:PORT`");
    for (text, expected) in [
        ("", all.to_owned()),
        ("serial:/dev/ttyS0", all.to_owned()),
        ("pty:", "a path, as in `pty[:PATH]`".to_owned()),
        ("tty", "a path, as in `tty:PATH`".to_owned()),
        ("tcp", port("tcp")),
        ("tcp:gateway", port("tcp")),
        ("tcp::4711", port("tcp")),
        ("tcp:::1:4711", port("tcp")),
        ("tcp-listen:gateway:65536", port("tcp-listen")),
        ("udp:gateway:+1", port("udp")),
        ("rfc2217:server:2217", raw_tcp.to_owned()),
        ("rfc2217://server:2217", raw_tcp.to_owned()),
    ] {
        let error = text.parse::<ChannelAddress>().unwrap_err();
        let shown = format!("`{text}` is not the address of a channel: expected {expected}");
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn every_transport_has_texts_and_is_read_by_its_own_prefix() {
    let names: BTreeSet<&str> = TRANSPORTS.iter().map(|kind| kind.entry.name).collect();
    assert_eq!(names.len(), TRANSPORTS.len());
    for kind in TRANSPORTS {
        assert!(!kind.entry.summary.ends_with('.') && kind.entry.description.ends_with('.'));
        // All keys may be left out.
        read_text("", &[kind.entry.fields]).unwrap();
        if let Some(form) = kind.address {
            assert_eq!(form.prefix, kind.entry.name);
            assert!(form.form.starts_with(form.prefix));
        }
    }
}

#[test]
fn settings_of_a_line_are_read_and_left_out_are_those_of_m_bus() {
    let tty = TRANSPORTS.iter().find(|kind| kind.entry.name == "tty").unwrap();
    let read = |text: &str| ChannelSettings::read(&read_text(text, &[tty.entry.fields]).unwrap());
    assert_eq!(read(""), ChannelSettings::M_BUS);
    let keys = "baud = 115200\nparity = \"none\"\ndata_bits = 7\nstop_bits = 2";
    let expected =
        ChannelSettings { baud: 115_200, parity: Parity::None, data_bits: 7, stop_bits: 2 };
    assert_eq!(read(keys), expected);
}

#[tokio::test]
async fn what_cannot_be_opened_is_an_error_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "").unwrap();
    let none = folder.path().join("none");
    for (address, part) in [
        (ChannelAddress::Pty(Some(taken)), "exists and is not a symbolic link; remove it"),
        (ChannelAddress::Tty(none), "No such file"),
        (ChannelAddress::TcpListen("192.0.2.1:0".to_owned()), "Cannot assign"),
    ] {
        let opened = Channel::open(&address, ChannelSettings::M_BUS).await;
        let Err(ChannelError::Open { place, reason }) = opened else { panic!("{address}") };
        assert_eq!(place, address.to_string());
        assert!(reason.contains(part), "{reason}");
    }
    let nine = ChannelSettings { data_bits: 9, ..ChannelSettings::M_BUS };
    let error = Channel::open(&"tty:line".parse().unwrap(), nine).await.unwrap_err();
    let expected = "found 9 data bits and 1 stop bits; expected 5 to 8 and 1 or 2";
    assert_eq!(error.to_string(), format!("cannot open tty:line: {expected}"));
}
