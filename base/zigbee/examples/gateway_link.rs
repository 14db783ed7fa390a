//! Either end of a gateway's connection as a program, for other implementations to talk to. Prints
//! what happens, a line each.
//!
//! `gateway_link dispatcher NAME KEY` accepts connections of the gateway 00aa000000000001 on a
//! free port, which is its first line, and sends the order `off` to each.
//! `gateway_link gateway ADDRESS NAME KEY COUNT` delivers so many readings, connecting again as
//! often as it takes.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use lastmeter_units::SimTime;
use lastmeter_zigbee::delivery::{Arrival, Outbox, Received};
use lastmeter_zigbee::keys::{NetworkKey, Nonce};
use lastmeter_zigbee::packet::GatewayAddress;
use lastmeter_zigbee::payload::{Content, Down, Up};
use lastmeter_zigbee::session::{
    GatewayEnd, GatewayEvent, GatewaySettings, KnownNetwork, Limits, PlatformEnd, PlatformEvent,
    Refusal,
};

const GATEWAY: GatewayAddress = GatewayAddress(0x00AA_0000_0000_0001);

#[expect(clippy::disallowed_methods, reason = "it talks to others in real time")]
fn now() -> Result<SimTime, Box<dyn Error>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(SimTime(i64::try_from(since.as_nanos())?))
}

fn nonce() -> Result<Nonce, Box<dyn Error>> {
    let mut nonce = Nonce::default();
    std::fs::File::open("/dev/urandom")?.read_exact(&mut nonce)?;
    Ok(nonce)
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn print(line: &str) {
    println!("{line}");
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["dispatcher", name, key] => dispatch(name, &key.parse()?),
        ["gateway", address, name, key, count] => {
            deliver(address, name, &key.parse()?, count.parse()?)
        }
        _ => Err("expected: dispatcher NAME KEY, or: gateway ADDRESS NAME KEY COUNT".into()),
    }
}

fn dispatch(name: &str, key: &NetworkKey) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    print(&listener.local_addr()?.to_string());
    let mut received = Received::default();
    for stream in listener.incoming() {
        serve(&mut stream?, name, key, &mut received)?;
        print("closed");
    }
    Ok(())
}

/// One connection until it ends.
fn serve(
    stream: &mut TcpStream,
    name: &str,
    key: &NetworkKey,
    received: &mut Received,
) -> Result<(), Box<dyn Error>> {
    let mut end = PlatformEnd::new(now()?, Limits::default());
    let (mut bytes, mut to) = ([0; 4096], Vec::new());
    loop {
        let count = stream.read(&mut bytes).unwrap_or_default();
        let (now, mut asked, mut opened, mut numbered) = (now()?, None, false, false);
        let mut take = |event: PlatformEvent<'_>| match event {
            PlatformEvent::Hello { gateway, .. } => asked = Some(gateway),
            PlatformEvent::Open => opened = true,
            PlatformEvent::Packet { up: Up::Numbered(it), .. } => {
                let arrival = received.take(it.epoch, it.sequence);
                numbered = true;
                if let (Content::Relay { frame, .. }, Arrival::New) = (&it.content, arrival) {
                    print(&format!("frame {}", String::from_utf8_lossy(frame)));
                } else {
                    print(&format!("{arrival:?}"));
                }
            }
            PlatformEvent::Packet { up, .. } => print(&format!("{up:?}")),
            PlatformEvent::Refused { refusal, .. } => print(&format!("refused {refusal}")),
        };
        end.receive(now, &bytes[..count], &mut to, &mut take);
        if let Some(gateway) = asked {
            let known = KnownNetwork { name, key, delivered: received.delivered() };
            let known = if gateway == GATEWAY { Ok(known) } else { Err(Refusal::UnknownGateway) };
            if let Err(refusal) = end.answer(now, known, &nonce()?, &mut to) {
                print(&format!("refused {refusal}"));
            }
        }
        if opened {
            end.send(now, &Down::Order { order: 7, network_type: 0, frame: b"off" }, &mut to);
        }
        if numbered {
            end.send(now, &Down::Delivered(received.delivered()), &mut to);
        }
        // Who has gone misses what is sent, and asks again.
        let _ = stream.write_all(&to);
        to.clear();
        if count == 0 || end.has_ended() {
            return Ok(());
        }
    }
}

fn deliver(address: &str, name: &str, key: &NetworkKey, count: u32) -> Result<(), Box<dyn Error>> {
    let mut outbox = Outbox::new(1 << 20);
    for reading in 0..count {
        let frame = format!("reading {reading}");
        let taken_s = u32::try_from(now()?.0 / 1_000_000_000)?;
        outbox.put(taken_s, &Content::Relay { network_type: 0, frame: frame.as_bytes() });
    }
    while !outbox.is_empty() {
        let mut stream = TcpStream::connect(address)?;
        let settings = GatewaySettings::new(GATEWAY, name, key.clone());
        let mut to = Vec::new();
        let mut end = GatewayEnd::new(settings, nonce()?, now()?, &mut to);
        let mut bytes = [0; 4096];
        while !end.has_ended() && !outbox.is_empty() {
            // Who broke off is connected to again.
            if stream.write_all(&to).is_err() {
                break;
            }
            to.clear();
            let count = stream.read(&mut bytes).unwrap_or_default();
            if count == 0 {
                break;
            }
            let mut rejected = None;
            end.receive(now()?, &bytes[..count], &mut to, |event| match event {
                GatewayEvent::Accepted { delivered } => outbox.connected(delivered),
                GatewayEvent::Packet(Down::Delivered(delivered)) => outbox.delivered(delivered),
                GatewayEvent::Rejected { refusal } => rejected = refusal,
                other => print(&format!("{other:?}")),
            });
            if let Some(refusal) = rejected {
                return Err(format!("rejected: {refusal}").into());
            }
            while end.is_open()
                && let Some(waiting) = outbox.next_to_send(32)
            {
                let write = |to: &mut Vec<u8>| to.extend_from_slice(&waiting.payload);
                end.send_payload(now()?, waiting.opcode, write, &mut to);
            }
        }
    }
    print("delivered");
    Ok(())
}
