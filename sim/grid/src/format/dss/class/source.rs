//! `Vsource`: the equivalent of the network above.

use num_complex::Complex64;

use super::capacitor::earthed;
use crate::format::dss::bus::Bus;
use crate::format::dss::table::{
    Entry, HARMONICS, MOMENT, UNSUPPORTED, base_frequency, circuit_frequency, noted, obeyed,
    obeyed_as, rejected_but, rejected_unless_checked,
};
use crate::format::dss::value::{Value, ValueResult};

pub(super) const PROPERTIES: &[Entry] = &[
    obeyed("Bus1"),
    obeyed("BasekV"),
    obeyed("pu"),
    obeyed("Angle"),
    circuit_frequency("Frequency"),
    rejected_but("Phases", &["3"], "sources of one phase are unsupported"),
    obeyed("MVASC3"),
    obeyed("MVASC1"),
    obeyed("X1R1"),
    obeyed("X0R0"),
    obeyed("Isc3"),
    obeyed("Isc1"),
    obeyed("R1"),
    obeyed("X1"),
    obeyed("R0"),
    obeyed("X0"),
    noted("ScanType", HARMONICS),
    rejected_but("Sequence", &["positive"], "only the positive sequence is supported"),
    rejected_unless_checked("Bus2", "only nodes of earth, as `bus.0.0.0`"),
    obeyed("Z1"),
    obeyed("Z0"),
    rejected_unless_checked("Z2", "only the positive-sequence impedance"),
    obeyed("puZ1"),
    obeyed("puZ0"),
    rejected_unless_checked(
        "puZ2",
        "only the positive-sequence impedance; without puZ1 it counts for nothing, as in OpenDSS",
    ),
    obeyed_as("BaseMVA", "for puZ1 and puZ0"),
    noted("Yearly", MOMENT),
    noted("Daily", MOMENT),
    noted("Duty", MOMENT),
    rejected_but(
        "Model",
        &["thevenin"],
        "an ideal source is unsupported; give it a small impedance",
    ),
    noted("puZIdeal", "counts for model=ideal, which is rejected"),
    noted("Spectrum", HARMONICS),
    base_frequency(),
    obeyed("Enabled"),
    obeyed("Like"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum ImpedanceSpecification {
    Power,
    Current,
    Ohm,
}

/// A source.
///
/// `OpenDSS` works its impedance out again behind every command that edits it, from whatever was
/// given last, and goes on from the results: an `r1` keeps the `r0` that the short-circuit powers
/// of the defaults came to. So this has all that `OpenDSS` has, and works it out when it does.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Source {
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) base_kv: f64,
    pub(in crate::format::dss) pu: f64,
    pub(in crate::format::dss) angle_deg: f64,
    given: ImpedanceSpecification,
    /// Short-circuit power of three phases and of one, MVA; currents, A.
    power_mva: (f64, f64),
    current_a: (f64, f64),
    x1r1: f64,
    x0r0: f64,
    /// Of the positive, the negative and the zero sequence, ohm.
    ohm: Sequences,
    /// The same by `basemva`.
    pu_impedance: Sequences,
    base_mva: f64,
    base_ohm: f64,
}

/// Impedances, and whether those of the second and third were given by themselves.
#[derive(Clone, Copy, Debug)]
struct Sequences {
    z1: Complex64,
    z2: Complex64,
    z0: Complex64,
    z1_given: bool,
    z2_given: bool,
    z0_given: bool,
}

impl Sequences {
    const fn new(z1: Complex64, z0: Complex64) -> Self {
        Self { z1, z2: z1, z0, z1_given: false, z2_given: false, z0_given: false }
    }

    fn set_z1(&mut self, z1: Complex64) {
        (self.z1, self.z1_given) = (z1, true);
        if !self.z2_given {
            self.z2 = z1;
        }
        if !self.z0_given {
            self.z0 = z1;
        }
    }
}

impl Default for Source {
    fn default() -> Self {
        let ohm = Sequences::new(Complex64::new(1.65, 6.6), Complex64::new(1.9, 5.7));
        let mut own = Self {
            bus: Bus::default(),
            base_kv: 115.0,
            pu: 1.0,
            angle_deg: 0.0,
            given: ImpedanceSpecification::Power,
            power_mva: (2000.0, 2100.0),
            current_a: (10000.0, 10540.0),
            x1r1: 4.0,
            x0r0: 3.0,
            ohm,
            pu_impedance: Sequences::new(Complex64::ZERO, Complex64::ZERO),
            base_mva: 100.0,
            base_ohm: 115.0 * 115.0 / 100.0,
        };
        // The defaults have a solution.
        let _ = own.settle();
        own
    }
}

impl Source {
    pub(super) fn set(&mut self, property: &str, value: Value<'_>) -> ValueResult<()> {
        let complex = || match value.numbers()?[..] {
            [re, im] => Ok(Complex64::new(re, im)),
            _ => Err("two numbers are expected".to_owned()),
        };
        match property {
            "bus1" => self.bus = Bus::read(value.text)?,
            "bus2" => earthed(value)?,
            "basekv" => self.base_kv = value.positive()?,
            "pu" => self.pu = value.positive()?,
            "angle" => self.angle_deg = value.number()?,
            "mvasc3" => self.power_mva.0 = value.positive()?,
            "mvasc1" => self.power_mva.1 = value.positive()?,
            "x1r1" => self.x1r1 = value.number()?,
            "x0r0" => self.x0r0 = value.number()?,
            "isc3" => self.current_a.0 = value.positive()?,
            "isc1" => self.current_a.1 = value.positive()?,
            "r1" => (self.ohm.z1.re, self.ohm.z2.re) = (value.number()?, value.number()?),
            "x1" => (self.ohm.z1.im, self.ohm.z2.im) = (value.number()?, value.number()?),
            "r0" => self.ohm.z0.re = value.number()?,
            "x0" => self.ohm.z0.im = value.number()?,
            "z1" => self.ohm.set_z1(complex()?),
            "z2" => (self.ohm.z2, self.ohm.z2_given) = (complex()?, true),
            "z0" => (self.ohm.z0, self.ohm.z0_given) = (complex()?, true),
            "puz1" => self.pu_impedance.set_z1(complex()?),
            "puz2" => (self.pu_impedance.z2, self.pu_impedance.z2_given) = (complex()?, true),
            "puz0" => (self.pu_impedance.z0, self.pu_impedance.z0_given) = (complex()?, true),
            "basemva" => self.base_mva = value.positive()?,
            _ => return Err(UNSUPPORTED.to_owned()),
        }
        match property {
            "mvasc3" | "mvasc1" => self.given = ImpedanceSpecification::Power,
            "isc3" | "isc1" => self.given = ImpedanceSpecification::Current,
            "r1" | "x1" | "r0" | "x0" | "z1" | "z2" | "z0" | "puz1" | "puz2" | "puz0" => {
                self.given = ImpedanceSpecification::Ohm;
            }
            "basekv" | "basemva" => self.base_ohm = self.base_kv * self.base_kv / self.base_mva,
            _ => {}
        }
        Ok(())
    }

    /// Works out its impedances after it was edited, and by what else they might have been given.
    pub(in crate::format::dss) fn settle(&mut self) -> ValueResult<()> {
        let volts = self.base_kv * 1000.0;
        // Amperes of three-phase megavolt-amperes.
        let ratio = 1e6 / (3f64.sqrt() * volts);
        match self.given {
            ImpedanceSpecification::Power => {
                self.current_a = (self.power_mva.0 * ratio, self.power_mva.1 * ratio);
                self.by_currents()?;
            }
            ImpedanceSpecification::Current => {
                self.power_mva = (self.current_a.0 / ratio, self.current_a.1 / ratio);
                self.by_currents()?;
            }
            ImpedanceSpecification::Ohm => {
                let (own, per_unit) = (&mut self.ohm, &self.pu_impedance);
                if per_unit.z1_given {
                    own.z1 = per_unit.z1 * self.base_ohm;
                    own.z2 = per_unit.z2 * self.base_ohm;
                    own.z0 = per_unit.z0 * self.base_ohm;
                }
                if own.z1 == Complex64::ZERO {
                    return Err("its impedance of positive sequence is 0".to_owned());
                }
                let phase = volts / 3f64.sqrt();
                let one = (own.z1 * 2.0 + own.z0) / 3.0;
                self.current_a = (phase / own.z1.norm(), phase / one.norm());
                self.power_mva = (self.current_a.0 / ratio, self.current_a.1 / ratio);
            }
        }
        let (ohm, base, own) = (self.ohm, self.base_ohm, &mut self.pu_impedance);
        if !(own.z1_given || own.z2_given || own.z0_given) {
            *own = Sequences { z1: ohm.z1 / base, z2: ohm.z2 / base, z0: ohm.z0 / base, ..*own };
        }
        Ok(())
    }

    /// Impedances that have these short-circuit currents.
    fn by_currents(&mut self) -> ValueResult<()> {
        let phase = self.base_kv * 1000.0 / 3f64.sqrt();
        let z1 = phase / self.current_a.0;
        let x1 = z1 / (1.0 + 1.0 / (self.x1r1 * self.x1r1)).sqrt();
        let r1 = x1 / self.x1r1;
        // |2 z1 + z0| is three times the impedance of one phase to earth, with z0 = r0 (1 + j k).
        let whole = 3.0 * phase / self.current_a.1;
        let k = self.x0r0;
        let (a, b) = (1.0 + k * k, 4.0 * (r1 + x1 * k));
        let c = 4.0 * (r1 * r1 + x1 * x1) - whole * whole;
        let discriminant = b * b - 4.0 * a * c;
        if discriminant.is_nan() || discriminant < 0.0 {
            return Err("no zero-sequence impedance has these short-circuit currents".to_owned());
        }
        let r0 = (-b + discriminant.sqrt()) / (2.0 * a);
        self.ohm.z1 = Complex64::new(r1, x1);
        self.ohm.z2 = self.ohm.z1;
        self.ohm.z0 = Complex64::new(r0, r0 * k);
        Ok(())
    }

    /// Positive- and zero-sequence impedance, ohm.
    pub(in crate::format::dss) fn impedance_ohm(&self) -> ValueResult<(Complex64, Complex64)> {
        if self.ohm.z1 == self.ohm.z2 {
            Ok((self.ohm.z1, self.ohm.z0))
        } else {
            Err("z2 (puz2) other than z1 (puz1) is unsupported".to_owned())
        }
    }

    /// This with what `like` copies of another one.
    pub(in crate::format::dss) fn like(&self, other: &Self) -> Self {
        Self { bus: self.bus.clone(), current_a: self.current_a, ..other.clone() }
    }
}
