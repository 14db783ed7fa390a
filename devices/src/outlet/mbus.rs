//! The way out of a meter on an M-Bus line (EN 13757-2 and -3): it keeps what it has measured last,
//! and answers a master that asks.
//!
//! Telegrams are made when they are asked for. A new answer is announced with its access number,
//! carried on beyond 255, and its instant; an answer that is repeated is not.

use std::collections::BTreeMap;

use lastmeter_mbus::application::variable;
use lastmeter_mbus::header::{Header, Identification, Identity, Medium, Status};
use lastmeter_mbus::reader::{Reader, Received};
use lastmeter_mbus::record::{Item, Record};
use lastmeter_mbus::slave::{Slave, SlaveConfig, TurnAround};
use lastmeter_sim::{DeclaredSpan, Identity as ReadingIdentity, ReferenceSpan};
use lastmeter_units::{Epoch, MeasurementId, Serial, SimDuration, SimTime};

use super::records::{Coding, carried, records};
use super::{Outlet, event, named};
use crate::border::{DeviceFault, EventKind, Input, Output};

/// The first access number: serials begin at 1.
const FIRST_ACCESS: u64 = 1;

/// How far a window may end before the reading that contains it is due.
const WINDOW_LAG: SimDuration = SimDuration::from_milliseconds(500);

#[derive(Clone, Debug)]
pub(crate) struct MBusParts {
    pub(crate) start: SimTime,
    pub(crate) address: u8,
    pub(crate) identity: Identity,
    pub(crate) turn_around: TurnAround,
    pub(crate) coding: Coding,
    pub(crate) status: u8,
    /// Whether what it measured at the last whole hour comes in a second telegram.
    pub(crate) multi_telegram: bool,
    pub(crate) answers: bool,
    /// How often it measures.
    pub(crate) measure_every: SimDuration,
}

/// What was measured, and what that spans.
type Measured = (ReferenceSpan, Vec<(MeasurementId, f64)>);

/// The way out of a meter on an M-Bus line.
#[derive(Debug)]
pub(crate) struct MBusOutlet {
    parts: MBusParts,
    slave: Slave,
    reader: Reader,
    newest: Option<Measured>,
    /// What the answers of now carry, and what the last new one carried.
    carried: [BTreeMap<String, f64>; 2],
    /// What was measured at the last whole hour.
    hour: Option<Vec<(MeasurementId, f64)>>,
    /// How many answers are still to be made and not sent.
    skip: u32,
    frozen_until: Option<SimTime>,
}

/// A default identification: of each name another one, as far as eight digits allow. FNV-1a of the
/// name's bytes, modulo 10^8.
pub(crate) fn identification_of(name: &str) -> Identification {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let number = u32::try_from(hash % 100_000_000).unwrap_or(0);
    Identification::from_number(number).unwrap_or(Identification::ANY)
}

impl MBusOutlet {
    pub(crate) fn new(parts: MBusParts) -> Self {
        let mut config = SlaveConfig::new(parts.address, parts.identity);
        config.turn_around = parts.turn_around;
        let reader = Reader::new(config.baud);
        let mut slave = Slave::new(config, Vec::new());
        slave.set_access_count(FIRST_ACCESS);
        let carried = Default::default();
        Self {
            slave,
            reader,
            newest: None,
            carried,
            hour: None,
            skip: 0,
            frozen_until: None,
            parts,
        }
    }

    fn frame(&mut self, now: SimTime, bytes: &[u8], out: &mut Vec<Output>) {
        if !self.parts.answers || self.frozen_until.is_some() {
            return;
        }
        if self.slave.is_at_first() && self.slave.is_asked(bytes) {
            self.slave.set_telegrams(self.telegrams());
            let values = self.newest.as_ref().map(|(_, values)| carried(values, self.parts.coding));
            self.carried[0] = values.unwrap_or_default();
        }
        let (before, first_before) = (self.slave.access_count(), self.slave.is_at_first());
        let answer = self.slave.receive(now, bytes);
        let is_new = self.slave.access_count() > before && first_before;
        if let (true, Some((span, _))) = (is_new, &self.newest) {
            let (epoch, serial, span) = (Epoch(1), Serial(before), *span);
            out.push(Output::Reading { epoch, serial, at: now, span });
            self.carried[1] = self.carried[0].clone();
        }
        let Some(answer) = answer else { return };
        if is_new && self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let bits_per_second = answer.baud.bits_per_second();
        // A single character acknowledges, and carries nothing.
        let has_values = answer.bytes.len() > 1;
        out.push(Output::Transmit { at: answer.at, bits_per_second, bytes: answer.bytes });
        if has_values {
            out.push(Output::Answered { values: self.carried[1].clone() });
        }
    }

    /// The telegrams of what was measured last; none before that.
    fn telegrams(&self) -> Vec<Vec<u8>> {
        let Some((_, values)) = &self.newest else { return Vec::new() };
        let stored = |values: &[(MeasurementId, f64)], storage: u64| -> Vec<Item<'static>> {
            let all = records(values, self.parts.coding).into_iter();
            all.map(|record| Item::Record(Record { storage, ..record })).collect()
        };
        let mut first = stored(values, 0);
        let second = self.hour.as_ref().map(|values| stored(values, 1));
        if second.is_some() {
            first.push(Item::Manufacturer { more_records_follow: true, data: &[] });
        }
        let items: Vec<Vec<Item<'_>>> = std::iter::once(first).chain(second).collect();
        let header = Header::Long {
            identity: self.slave.config().identity,
            access_number: 0,
            status: Status(self.parts.status),
            signature: 0,
        };
        // A dozen records fit into one telegram.
        items.iter().filter_map(|items| variable(&header, items).ok()).collect()
    }

    /// Takes bytes of the line, the last of which ended now.
    fn heard(&mut self, now: SimTime, bytes: &[u8], out: &mut Vec<Output>) {
        self.frozen_until = self.frozen_until.filter(|&until| now < until);
        let mut frames: Vec<Received> = self.reader.silent(now).into_iter().collect();
        for &byte in bytes {
            frames.extend(self.reader.byte(now, byte).into_iter().flatten());
        }
        for received in frames {
            // What is no frame is not answered.
            if let Received::Frame { bytes, .. } = received {
                self.frame(now, &bytes, out);
            }
        }
    }

    /// Something goes wrong on purpose.
    fn fault(&mut self, fault: &DeviceFault, out: &mut Vec<Output>) {
        let named = match fault {
            DeviceFault::RenumberReading | DeviceFault::UnknownIdentifier => {
                Err("a meter that is asked has no identifiers, and numbers its readings once")
            }
            _ => named(fault),
        };
        match *fault {
            DeviceFault::SkipReading { count } => self.skip = self.skip.saturating_add(count),
            DeviceFault::Freeze { until } => {
                self.frozen_until = Some(until.unwrap_or(SimTime(i64::MAX)));
            }
            _ => {}
        }
        match named {
            Ok(detail) => event(out, EventKind::FaultBegun, &detail),
            Err(why) => event(out, EventKind::InputRefused, why),
        }
    }
}

impl Outlet for MBusOutlet {
    fn start(&self) -> SimTime {
        self.parts.start
    }

    fn reading(
        &mut self,
        due: SimDuration,
        span: ReferenceSpan,
        values: Vec<(MeasurementId, f64)>,
        _: &mut Vec<Output>,
    ) {
        let hour = SimDuration::from_seconds(3600).0;
        let begins_hour = due.0 / hour > (due - self.parts.measure_every).0 / hour;
        // Until the first whole hour it is what was measured first.
        if self.parts.multi_telegram && (begins_hour || self.hour.is_none()) {
            self.hour = Some(values.clone());
        }
        self.newest = Some((span, values));
    }

    fn take(&mut self, now: SimTime, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Heard { bytes } => self.heard(now, &bytes, out),
            Input::Fault(fault) => self.fault(&fault, out),
            _ => {
                let detail = "connection state for a device without an uplink";
                event(out, EventKind::InputRefused, detail);
            }
        }
    }

    fn network_address(&self) -> Option<String> {
        Some(self.slave.config().identity.to_string().replace(' ', "-"))
    }

    /// A value is as old as the last measurement.
    fn declared(&self) -> Option<DeclaredSpan> {
        Some(DeclaredSpan {
            identity: ReadingIdentity::Number,
            window: Some(self.parts.measure_every),
            earliest: self.parts.measure_every + WINDOW_LAG,
            latest: SimDuration::ZERO,
            registers_earliest: None,
        })
    }
}

/// The device type of a domain's meters. No sensor of a room is on an M-Bus line.
pub(crate) const fn medium_of(domain: lastmeter_units::Domain) -> Medium {
    match domain {
        lastmeter_units::Domain::Electricity => Medium::ELECTRICITY,
        lastmeter_units::Domain::Heat => Medium::HEAT_OUTLET,
        lastmeter_units::Domain::Water => Medium::WATER,
        lastmeter_units::Domain::Room => Medium::OTHER,
    }
}
