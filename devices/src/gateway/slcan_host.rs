//! The host of an SLCAN adapter as a node of a simulated CAN bus: whatever is at the other end of
//! its serial line is on the bus, beside the nodes that are simulated.
//!
//! Network 0 is the bus, network 1 the line. The lines are LAWICEL's (`lastmeter_can::slcan`). It
//! opens the adapter at the rate of the bus each time that somebody comes to the line, hands on
//! every frame that it hears, and offers the bus what the adapter has received. What is answered to
//! its commands is not waited for; an adapter that refuses one is noted. At the other end may also
//! be a host, such as python-can: both then write frames, and ignore each other's commands.

use lastmeter_can::bus::Happening;
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::slcan::{BitRate, Command, Item, Reader};
use lastmeter_units::{SimDuration, SimTime};

use super::slcan_line::hand_on;
use super::{Gateway, GatewayEventKind, GatewayInput, GatewayOutput, event};
use crate::can::port::{Port, PortEvent, PortSettings};

/// The host of an adapter at a bus with so many bits per second.
pub fn slcan_host(bits_per_second: u32) -> Box<dyn Gateway> {
    let settings = PortSettings {
        order: TransmitOrder::ByRequest,
        overrun: OverrunPolicy::DiscardNewest,
        interrupt_latency: SimDuration::ZERO,
    };
    // It hears all nodes.
    let port = Port::new(settings, &[(0, 0)]);
    let rate = BitRate::from_bits_per_second(bits_per_second);
    Box::new(SlcanHost { reader: Reader::default(), port, rate, is_opening: false })
}

struct SlcanHost {
    reader: Reader,
    port: Port,
    /// That of the bus; `None`: one that adapters have no digit for, and keep as it is.
    rate: Option<BitRate>,
    /// Whether no frame has come since it was opened: one that is open refuses to be opened.
    is_opening: bool,
}

impl SlcanHost {
    fn wire(&mut self, now: SimTime, what: Happening, line: &mut Vec<u8>) -> Option<PortEvent> {
        let lost = self.port.wire(now, what);
        while let Some(frame) = self.port.interrupt(now) {
            line.extend(Command::Transmit(frame).encode());
        }
        lost
    }

    fn open(&mut self, line: &mut Vec<u8>) {
        (self.reader, self.is_opening) = (Reader::default(), true);
        self.port.reset();
        let rate = self.rate.map(Command::BitRate);
        let commands = [Command::Empty, Command::Close].into_iter().chain(rate);
        line.extend(commands.chain([Command::Open]).flat_map(|command| command.encode()));
    }

    fn heard(&mut self, bytes: &[u8], out: &mut Vec<GatewayOutput>) {
        let mut items = Vec::new();
        self.reader.bytes(bytes, &mut items);
        for item in items {
            match item {
                // Identifiers of its networks have eleven bits.
                Item::Frame { frame, .. } if !frame.id().is_extended() => {
                    self.is_opening = false;
                    self.port.request(frame);
                }
                Item::Refused if !self.is_opening => {
                    let detail = "the adapter on the line refused a command";
                    event(out, GatewayEventKind::CommandRefused, detail.to_owned());
                }
                _ => {}
            }
        }
    }
}

impl Gateway for SlcanHost {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        let mut bytes = Vec::new();
        match input {
            GatewayInput::Wire { what, .. } => {
                if let Some(PortEvent::Overrun(frame)) = self.wire(now, what, &mut bytes) {
                    let detail = format!("the frame {frame} was lost on its way to the line");
                    event(out, GatewayEventKind::CommandRefused, detail);
                }
            }
            GatewayInput::Bytes { bytes: heard, .. } => self.heard(&heard, out),
            GatewayInput::LineUp { .. } => self.open(&mut bytes),
            GatewayInput::LineDown { .. } => self.port.reset(),
            _ => {}
        }
        hand_on(&mut self.port, bytes, out);
    }

    fn wake_at(&self) -> Option<SimTime> {
        None
    }

    fn unacknowledged(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::slcan_line::{BUS, LINE};
    use super::*;

    fn step(host: &mut dyn Gateway, input: GatewayInput) -> (String, Vec<Option<String>>) {
        let (mut out, mut line, mut offers) = (Vec::new(), Vec::new(), Vec::new());
        host.step(SimTime(5), input, &mut out);
        for output in out {
            match output {
                GatewayOutput::Bytes { network: LINE, bytes, .. } => line.extend(bytes),
                GatewayOutput::Offer { network: BUS, frame } => {
                    offers.push(frame.map(|frame| frame.to_string()));
                }
                GatewayOutput::Event { detail, .. } => line.extend(detail.into_bytes()),
                other => panic!("{other:?}"),
            }
        }
        (String::from_utf8(line).unwrap(), offers)
    }

    fn line(text: &str) -> GatewayInput {
        GatewayInput::Bytes { network: LINE, lane: None, bytes: text.as_bytes().to_vec() }
    }

    fn wire(what: Happening) -> GatewayInput {
        GatewayInput::Wire { network: BUS, what }
    }

    /// Lines as the manual of LAWICEL's adapters has them.
    #[test]
    fn who_is_at_the_line_is_on_the_bus() {
        let mut host = slcan_host(125_000);
        let opened = step(host.as_mut(), GatewayInput::LineUp { network: LINE });
        assert_eq!(opened, ("\rC\rS4\rO\r".to_owned(), vec![]));
        // One that was open refuses two of them.
        assert_eq!(step(host.as_mut(), line("\r\r\u{7}\u{7}")), (String::new(), vec![]));
        let asked = step(host.as_mut(), wire(Happening::Received("201#R8".parse().unwrap())));
        assert_eq!(asked, ("r2018\r".to_owned(), vec![]));
        let answer = step(host.as_mut(), line("z\rt20180DB58580"));
        assert_eq!(answer, (String::new(), vec![]), "its line has not ended");
        let answer = step(host.as_mut(), line("002DC6C0\r"));
        assert_eq!(answer.1, [Some("201#0DB58580002DC6C0".to_owned())]);
        let frame = "201#0DB58580002DC6C0".parse().unwrap();
        for what in [Happening::Begun(frame), Happening::Sent(frame)] {
            let own = step(host.as_mut(), wire(what));
            assert_eq!(own, (String::new(), vec![]), "its own frame is not handed back");
        }
        assert!(step(host.as_mut(), line("\u{7}")).0.contains("refused a command"));
    }

    /// Commands of another host, extended frames and lines that are wrong reach nobody.
    #[test]
    fn nothing_but_base_frames_gets_on_the_bus() {
        let mut host = slcan_host(125_000);
        step(host.as_mut(), GatewayInput::LineUp { network: LINE });
        for text in ["C\rS4\rO\r", "T0000020111\r11\r", "t12\r", "t2019\r", "tXYZ0\r", "V1013\r"] {
            assert_eq!(step(host.as_mut(), line(text)), (String::new(), vec![]), "{text}");
        }
        assert_eq!(step(host.as_mut(), line("t2011AA\r")).1, [Some("201#AA".to_owned())]);
        // Somebody else comes, and what the one before had asked for is taken back.
        step(host.as_mut(), GatewayInput::LineDown { network: LINE });
        assert_eq!(step(host.as_mut(), line("r2021\r")).1, [Some("202#R1".to_owned())]);
    }
}
