//! An SLCAN adapter as a node of a simulated CAN bus: whoever is at the other end of its serial
//! line is on the bus.
//!
//! Network 0 is the bus, network 1 the line. The lines are LAWICEL's (`lastmeter_can::slcan`). Once
//! it is opened at the rate of the bus it hears and sends; opened at another one it does neither,
//! where a real one would disturb the bus. It acknowledges frames also while it is closed or only
//! listens.

use lastmeter_can::bus::Happening;
use lastmeter_can::controller::{OverrunPolicy, TransmitOrder};
use lastmeter_can::slcan::{Adapter, BitRate, BitTiming, Flag, Order};
use lastmeter_units::{SimDuration, SimTime};

use super::slcan_line::hand_on;
use super::{Gateway, GatewayEventKind, GatewayInput, GatewayOutput, event};
use crate::can::port::{Port, PortSettings};

const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// The adapter of a bus with so many bits per second.
pub fn slcan_adapter(bits_per_second: u32) -> Box<dyn Gateway> {
    let settings = PortSettings {
        order: TransmitOrder::ByRequest,
        overrun: OverrunPolicy::DiscardNewest,
        interrupt_latency: SimDuration::ZERO,
    };
    // It hears all nodes.
    let port = Port::new(settings, &[(0, 0)]);
    let rate = BitRate::from_bits_per_second(bits_per_second).map(BitTiming::Rate);
    Box::new(SlcanAdapter { adapter: Adapter::default(), port, rate, takes_part: false })
}

struct SlcanAdapter {
    adapter: Adapter,
    port: Port,
    /// That of the bus.
    rate: Option<BitTiming>,
    takes_part: bool,
}

impl SlcanAdapter {
    fn wire(&mut self, now: SimTime, what: Happening, to_host: &mut Vec<u8>) {
        let is_lost = self.port.wire(now, what).is_some();
        let flags = [
            (is_lost, Flag::Overrun),
            (matches!(what, Happening::LostArbitration), Flag::ArbitrationLost),
            (matches!(what, Happening::Error { .. }), Flag::BusError),
        ];
        flags.iter().filter(|(is_up, _)| *is_up).for_each(|(_, flag)| self.adapter.raise(*flag));
        let now_ms = now.0.max(0).unsigned_abs() / NANOSECONDS_PER_MILLISECOND.unsigned_abs();
        while let Some(frame) = self.port.interrupt(now) {
            if self.takes_part {
                self.adapter.frame(&frame, now_ms, to_host);
            }
        }
    }

    fn order(&mut self, order: Order, out: &mut Vec<GatewayOutput>) {
        match order {
            Order::Open { timing, .. } => {
                self.takes_part = Some(timing) == self.rate;
                if !self.takes_part {
                    let detail = "the adapter is opened at another bit rate than that of the bus";
                    event(out, GatewayEventKind::CommandRefused, detail.to_owned());
                }
            }
            Order::Close => {
                self.takes_part = false;
                self.port.reset();
            }
            Order::Transmit(frame) if self.takes_part => self.port.request(frame),
            Order::Transmit(_) => {}
        }
    }
}

impl Gateway for SlcanAdapter {
    fn step(&mut self, now: SimTime, input: GatewayInput, out: &mut Vec<GatewayOutput>) {
        let (mut bytes, mut orders) = (Vec::new(), Vec::new());
        match input {
            GatewayInput::Wire { what, .. } => self.wire(now, what, &mut bytes),
            GatewayInput::Bytes { bytes: heard, .. } => {
                self.adapter.bytes(&heard, &mut bytes, &mut orders);
            }
            GatewayInput::LineUp { .. } => self.adapter.reset(&mut orders),
            _ => {}
        }
        for order in orders {
            self.order(order, out);
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

    fn step(adapter: &mut dyn Gateway, input: GatewayInput) -> (String, Vec<Option<String>>) {
        let (mut out, mut line, mut offers) = (Vec::new(), Vec::new(), Vec::new());
        adapter.step(SimTime(5), input, &mut out);
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

    fn host(text: &str) -> GatewayInput {
        GatewayInput::Bytes { network: LINE, lane: None, bytes: text.as_bytes().to_vec() }
    }

    fn received(text: &str) -> GatewayInput {
        let what = Happening::Received(text.parse().unwrap());
        GatewayInput::Wire { network: BUS, what }
    }

    /// Lines as the manual of LAWICEL's adapters has them.
    #[test]
    fn a_host_is_on_the_bus_once_it_has_opened_the_adapter() {
        let mut adapter = slcan_adapter(125_000);
        assert_eq!(step(adapter.as_mut(), received("201#11")), (String::new(), vec![]));
        assert_eq!(step(adapter.as_mut(), host("r2018\r")).0, "\u{7}", "it is closed");
        assert_eq!(step(adapter.as_mut(), host("S4\rO\r")), ("\r\r".to_owned(), vec![]));
        let asked = step(adapter.as_mut(), host("r2018\r"));
        assert_eq!(asked, ("z\r".to_owned(), vec![Some("201#R8".to_owned())]));
        let sent = Happening::Sent("201#R8".parse().unwrap());
        let begun = Happening::Begun("201#R8".parse().unwrap());
        for what in [begun, sent] {
            let wire = GatewayInput::Wire { network: BUS, what };
            assert_eq!(step(adapter.as_mut(), wire), (String::new(), vec![]));
        }
        let answer = step(adapter.as_mut(), received("201#0DB58580002DC6C0"));
        assert_eq!(answer, ("t20180DB58580002DC6C0\r".to_owned(), vec![]));
        assert_eq!(step(adapter.as_mut(), host("C\r")), ("\r".to_owned(), vec![]));
        assert_eq!(step(adapter.as_mut(), received("201#11")), (String::new(), vec![]));
    }

    #[test]
    fn at_another_rate_it_takes_no_part() {
        let mut adapter = slcan_adapter(125_000);
        let opened = step(adapter.as_mut(), host("S6\rO\r")).0;
        assert!(opened.contains("another bit rate"), "{opened}");
        let (line, offers) = step(adapter.as_mut(), host("t201111\r"));
        assert_eq!((line.as_str(), offers), ("z\r", vec![]));
        assert_eq!(step(adapter.as_mut(), received("201#11")).0, "");
        // Somebody else comes to the line.
        step(adapter.as_mut(), GatewayInput::LineUp { network: LINE });
        assert_eq!(step(adapter.as_mut(), host("S4\rO\rt201111\r")).1, [Some("201#11".to_owned())]);
    }
}
