//! `Transformer`.

use crate::format::dss::bus::Bus;
use crate::format::dss::table::{
    Entry, HARMONICS, RATING, RELIABILITY, REPORT, UNSUPPORTED, base_frequency, noted,
    noted_and_read, obeyed, obeyed_as, rejected,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed_as("Phases", "1 or 3"),
    obeyed_as("Windings", "2 or 3"),
    obeyed("Wdg"),
    obeyed_as("Bus", "a neutral point at earth or at node 4"),
    obeyed("Conn"),
    obeyed("kV"),
    obeyed("kVA"),
    obeyed("Tap"),
    obeyed("%R"),
    noted_and_read(
        "RNeut",
        "without influence where the neutral point is earth; at node 4 it is rejected",
    ),
    noted_and_read(
        "XNeut",
        "without influence where the neutral point is earth; at node 4 rneut is rejected",
    ),
    obeyed("Buses"),
    obeyed("Conns"),
    obeyed("kVs"),
    obeyed("kVAs"),
    obeyed("Taps"),
    obeyed("XHL"),
    obeyed("XHT"),
    obeyed("XLT"),
    obeyed("XSCArray"),
    noted("Thermal", RATING),
    noted("n", RATING),
    noted("m", RATING),
    noted("FLRise", RATING),
    noted("HSRise", RATING),
    obeyed("%LoadLoss"),
    obeyed("%NoLoadLoss"),
    noted("NormHkVA", RATING),
    noted("EmergHkVA", RATING),
    noted("Sub", REPORT),
    obeyed_as("MaxTap", "for regulators, a whole number of taps from 1"),
    obeyed_as("MinTap", "for regulators, a whole number of taps from 1"),
    obeyed_as("NumTaps", "for regulators"),
    noted("SubName", REPORT),
    obeyed("%IMag"),
    obeyed("ppm_Antifloat"),
    obeyed("%Rs"),
    noted("Bank", REPORT),
    rejected("XfmrCode", "unsupported; write its properties out"),
    noted("XRConst", HARMONICS),
    obeyed("X12"),
    obeyed("X13"),
    obeyed("X23"),
    obeyed("LeadLag"),
    noted("WdgCurrents", REPORT),
    noted("Core", "counts for geomagnetically induced currents"),
    noted("RDCOhms", "counts for geomagnetically induced currents"),
    noted("Seasons", RATING),
    noted("Ratings", RATING),
    noted("NormAmps", RATING),
    noted("EmergAmps", RATING),
    noted("FaultRate", RELIABILITY),
    noted("pctPerm", RELIABILITY),
    noted("Repair", RELIABILITY),
    base_frequency(),
    obeyed("Enabled"),
    obeyed_as(
        "Like",
        "without buses, %imag, leadlag and ppm_antifloat, which OpenDSS does not copy",
    ),
];

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Side {
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) delta: bool,
    pub(in crate::format::dss) kv: f64,
    pub(in crate::format::dss) kva: f64,
    pub(in crate::format::dss) tap: f64,
    pub(in crate::format::dss) resistance_pu: f64,
    /// Of the neutral; below zero it is not earthed by the winding itself.
    pub(in crate::format::dss) neutral_ohm: f64,
    pub(in crate::format::dss) lowest_tap: f64,
    pub(in crate::format::dss) highest_tap: f64,
    pub(in crate::format::dss) taps: i32,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            bus: Bus::default(),
            delta: false,
            kv: 12.47,
            kva: 1000.0,
            tap: 1.0,
            resistance_pu: 0.002,
            neutral_ohm: -1.0,
            lowest_tap: 0.9,
            highest_tap: 1.1,
            taps: 32,
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Transformer {
    pub(in crate::format::dss) phases: usize,
    pub(in crate::format::dss) sides: Vec<Side>,
    active: usize,
    /// Reactances between windings 1 and 2, 1 and 3, 2 and 3, per unit.
    pub(in crate::format::dss) reactances_pu: [f64; 3],
    /// What `xhl`, `xht`, `xlt` were last, which count for all three when one of them is set.
    by_names_pu: [f64; 3],
    named: bool,
    pub(in crate::format::dss) no_load_loss_pu: f64,
    pub(in crate::format::dss) magnetising_pu: f64,
    pub(in crate::format::dss) antifloat: f64,
    /// Whether the side of higher voltage leads by the way of Europe, not of ANSI.
    pub(in crate::format::dss) leads: bool,
}

impl Default for Transformer {
    fn default() -> Self {
        Self {
            phases: 3,
            sides: vec![Side::default(), Side::default()],
            active: 0,
            reactances_pu: [0.07, 0.30, 0.30],
            by_names_pu: [0.07, 0.35, 0.30],
            named: false,
            no_load_loss_pu: 0.0,
            magnetising_pu: 0.0,
            antifloat: 1e-6,
            leads: false,
        }
    }
}

impl Transformer {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "phases" => self.phases = value.whole(1, 3)? as usize,
            "windings" => {
                let (before, windings) = (self.sides.len(), value.whole(2, 3)? as usize);
                self.sides = vec![Side::default(); windings];
                if windings > before {
                    (self.reactances_pu[1], self.reactances_pu[2]) = (0.30, 0.30);
                }
            }
            "wdg" => self.active = value.whole(1, self.sides.len() as i32)? as usize - 1,
            "kva" => {
                let kva = value.positive()?;
                self.side().kva = kva;
                if self.active == 0 || self.sides.len() == 2 {
                    self.sides.iter_mut().for_each(|side| side.kva = kva);
                }
            }
            "%r" => self.side().resistance_pu = value.number()? / 100.0,
            "bus" | "conn" | "kv" | "tap" | "rneut" | "xneut" | "maxtap" | "mintap" | "numtaps" => {
                self.side().set(property, value)?;
            }
            "buses" => self.each(value, "bus")?,
            "conns" => self.each(value, "conn")?,
            "kvs" => self.each(value, "kv")?,
            "kvas" => self.each(value, "kva")?,
            "taps" => self.each(value, "tap")?,
            "%rs" => self.each(value, "%r")?,
            "xhl" | "x12" => self.name(0, value)?,
            "xht" | "x13" => self.name(1, value)?,
            "xlt" | "x23" => self.name(2, value)?,
            "xscarray" => {
                for (own, given) in self.reactances_pu.iter_mut().zip(value.numbers()?) {
                    *own = given / 100.0;
                }
            }
            "%loadloss" => {
                let half = value.number()? / 200.0;
                self.sides[..2].iter_mut().for_each(|side| side.resistance_pu = half);
            }
            "%noloadloss" => self.no_load_loss_pu = value.number()? / 100.0,
            "%imag" => self.magnetising_pu = value.number()? / 100.0,
            "ppm_antifloat" => self.antifloat = value.number()? * 1e-6,
            "leadlag" => {
                self.leads = match value.text.to_ascii_lowercase().as_str() {
                    "lag" | "ansi" => false,
                    "lead" | "euro" => true,
                    other => return Err(format!("{other:?} is neither lead nor lag")),
                };
            }
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }

    fn name(&mut self, pair: usize, value: Value<'_>) -> ValueResult<()> {
        (self.by_names_pu[pair], self.named) = (value.number()? / 100.0, true);
        Ok(())
    }

    /// Makes its reactances agree, after it was edited.
    pub(in crate::format::dss) fn settle(&mut self) {
        if std::mem::take(&mut self.named) {
            self.reactances_pu = self.by_names_pu;
        }
    }

    /// This with what `like` copies of another one.
    pub(in crate::format::dss) fn like(&self, other: &Self) -> Self {
        let mut copy = Self {
            magnetising_pu: self.magnetising_pu,
            antifloat: self.antifloat,
            leads: self.leads,
            named: self.named,
            active: self.active,
            ..other.clone()
        };
        for (at, side) in copy.sides.iter_mut().enumerate() {
            side.bus = self.sides.get(at).map(|own| own.bus.clone()).unwrap_or_default();
        }
        copy
    }

    fn side(&mut self) -> &mut Side {
        let last = self.sides.len() - 1;
        self.active = self.active.min(last);
        &mut self.sides[self.active]
    }

    fn each(&mut self, values: Value<'_>, property: &str) -> ValueResult<()> {
        let windings = self.sides.len();
        for (at, value) in values.list().enumerate() {
            let Some(side) = self.sides.get_mut(at) else {
                return Err(format!("more values than its {windings} windings"));
            };
            side.set(property, value)?;
        }
        // OpenDSS leaves the last winding active, however many values there are.
        self.active = windings - 1;
        Ok(())
    }
}

impl Side {
    fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        match property {
            "bus" => self.bus = Bus::read(value.text)?,
            "conn" => self.delta = value.delta()?,
            "kv" => self.kv = value.positive()?,
            "kva" => self.kva = value.positive()?,
            "tap" => self.tap = value.positive()?,
            "%r" => self.resistance_pu = value.number()? / 100.0,
            "rneut" => self.neutral_ohm = value.number()?,
            "xneut" => {
                value.number()?;
            }
            "maxtap" => self.highest_tap = value.positive()?,
            "mintap" => self.lowest_tap = value.positive()?,
            "numtaps" => self.taps = value.whole(0, 1000)?,
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        Ok(())
    }

    /// What one tap changes, as a share of the rated turns.
    pub(in crate::format::dss) fn tap_step(&self) -> f64 {
        if self.taps > 0 {
            (self.highest_tap - self.lowest_tap) / f64::from(self.taps)
        } else {
            0.0
        }
    }
}
