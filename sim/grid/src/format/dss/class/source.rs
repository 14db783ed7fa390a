//! `Vsource`: the equivalent of the network above.

use num_complex::Complex64;

use super::capacitor::earthed;
use crate::format::dss::bus::Bus;
use crate::format::dss::value::{Told, Value};

pub(super) const PROPERTIES: &str = "bus1 basekv pu angle -frequency phases mvasc3 mvasc1 x1r1 \
    x0r0 isc3 isc1 r1 x1 r0 x0 ~scantype ~sequence bus2 z1 z0 ~z2 puz1 puz0 ~puz2 basemva \
    -yearly -daily -duty ~model ~puzideal -spectrum -basefreq enabled like";

/// What its impedance is given by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    Power,
    Current,
    Ohm,
    PerUnit,
}

/// A source.
#[derive(Clone, Debug)]
pub(in crate::format::dss) struct Source {
    pub(in crate::format::dss) bus: Bus,
    pub(in crate::format::dss) base_kv: f64,
    pub(in crate::format::dss) pu: f64,
    pub(in crate::format::dss) angle_deg: f64,
    given: Given,
    /// Short-circuit power of three phases and of one, MVA; currents, A.
    power_mva: (f64, f64),
    current_a: (f64, f64),
    x1r1: f64,
    x0r0: f64,
    z1: Complex64,
    z0: Complex64,
    zero_given: bool,
    base_mva: f64,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            bus: Bus { name: "sourcebus".to_owned(), nodes: Vec::new() },
            base_kv: 115.0,
            pu: 1.0,
            angle_deg: 0.0,
            given: Given::Power,
            power_mva: (2000.0, 2100.0),
            current_a: (10000.0, 10540.0),
            x1r1: 4.0,
            x0r0: 3.0,
            z1: Complex64::new(1.65, 6.6),
            z0: Complex64::new(1.9, 5.7),
            zero_given: false,
            base_mva: 100.0,
        }
    }
}

impl Source {
    pub(in crate::format::dss) fn set(&mut self, property: &str, value: Value<'_>) -> Told<()> {
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
            "phases" => {
                value.whole(3, 3).map_err(|_| "only sources of three phases are known here")?;
            }
            "mvasc3" => (self.power_mva.0, self.given) = (value.positive()?, Given::Power),
            "mvasc1" => (self.power_mva.1, self.given) = (value.positive()?, Given::Power),
            "x1r1" => self.x1r1 = value.number()?,
            "x0r0" => self.x0r0 = value.number()?,
            "isc3" => (self.current_a.0, self.given) = (value.positive()?, Given::Current),
            "isc1" => (self.current_a.1, self.given) = (value.positive()?, Given::Current),
            "r1" => (self.z1.re, self.given) = (value.number()?, Given::Ohm),
            "x1" => (self.z1.im, self.given) = (value.number()?, Given::Ohm),
            "r0" => (self.z0.re, self.given) = (value.number()?, Given::Ohm),
            "x0" => (self.z0.im, self.given) = (value.number()?, Given::Ohm),
            "z1" | "puz1" => {
                self.z1 = complex()?;
                if !self.zero_given {
                    self.z0 = self.z1;
                }
                self.given = if property == "z1" { Given::Ohm } else { Given::PerUnit };
            }
            "z0" | "puz0" => {
                (self.z0, self.zero_given) = (complex()?, true);
                self.given = if property == "z0" { Given::Ohm } else { Given::PerUnit };
            }
            "basemva" => self.base_mva = value.positive()?,
            _ => return Err("it is not known here".to_owned()),
        }
        Ok(())
    }

    /// Positive- and zero-sequence impedance, ohm.
    pub(in crate::format::dss) fn impedance_ohm(&self) -> Told<(Complex64, Complex64)> {
        let volts = self.base_kv * 1000.0;
        let (three, one) = match self.given {
            Given::Ohm => return Ok((self.z1, self.z0)),
            Given::PerUnit => {
                let base = self.base_kv * self.base_kv / self.base_mva;
                return Ok((self.z1 * base, self.z0 * base));
            }
            Given::Power => {
                let amperes = |mva: f64| mva * 1e6 / (3f64.sqrt() * volts);
                (amperes(self.power_mva.0), amperes(self.power_mva.1))
            }
            Given::Current => self.current_a,
        };
        let z1 = volts / (3f64.sqrt() * three);
        let x1 = z1 / (1.0 + 1.0 / (self.x1r1 * self.x1r1)).sqrt();
        let r1 = x1 / self.x1r1;
        // |2 z1 + z0| is three times the impedance of one phase to earth, with z0 = r0 (1 + j k).
        let whole = 3.0 * volts / 3f64.sqrt() / one;
        let k = self.x0r0;
        let (a, b) = (1.0 + k * k, 4.0 * (r1 + x1 * k));
        let c = 4.0 * (r1 * r1 + x1 * x1) - whole * whole;
        let discriminant = b * b - 4.0 * a * c;
        if discriminant.is_nan() || discriminant < 0.0 {
            return Err("no zero-sequence impedance has these short-circuit figures".to_owned());
        }
        let r0 = (-b + discriminant.sqrt()) / (2.0 * a);
        Ok((Complex64::new(r1, x1), Complex64::new(r0, r0 * k)))
    }
}
