//! What the telegrams of one meter mean as a reading.

use lastmeter_mbus::application::Application;
use lastmeter_mbus::frame::Frame;
use lastmeter_mbus::header::{Header, Identity};
use lastmeter_mbus::record::{Counter, Decimal, Fixed, Function, Item, Modifier, Record, Value};
use lastmeter_mbus::record::{Quantity, Unit};
use lastmeter_units::{Domain, MeasurementId, Phase};

use super::unit::{Number, converted, domain_of, domain_of_fixed, identifier};

/// Errors of the concentrator that were planted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Planted {
    /// Drops the sign of binary coded decimals.
    pub(super) drop_sign: bool,
    /// Is added to the power of ten of volumes.
    pub(super) volume_exponent: i16,
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Values with an identifier, in the order of the telegrams.
    pub(super) values: Vec<(MeasurementId, f64)>,
    /// Values that were left out because they are errors or no numbers.
    pub(super) refused: Vec<String>,
    /// Which meter it is, where it states that.
    pub(super) identity: Option<Identity>,
    /// The access number of its first telegram.
    pub(super) access_number: Option<u8>,
    pub(super) status: u8,
    /// The CRC-32C of all telegrams.
    pub(super) fingerprint: u32,
}

/// Error bits of a status: low power, permanent and temporary error; with an application status,
/// error and abnormal condition too.
const ERRORS: u8 = 0x1C;

/// Reads all telegrams of one meter. `known` is what the meter is taken to be, which
/// gives the domain of an answer without a header.
pub(super) fn read(
    telegrams: &[Vec<u8>],
    known: Option<&Identity>,
    planted: Planted,
) -> Result<Reading, String> {
    let mut reading = Reading::default();
    let mut domain = known.and_then(|known| domain_of(known.medium));
    for (place, bytes) in telegrams.iter().enumerate() {
        reading.fingerprint = crc32c::crc32c_append(reading.fingerprint, bytes);
        let telegram = place + 1;
        let frame =
            Frame::decode(bytes).map_err(|error| format!("telegram {telegram}: {error}"))?;
        let application = Application::decode_all(&frame)
            .map_err(|error| format!("telegram {telegram}: {error}"))?;
        match application {
            Application::Variable { header, records } => {
                reading.take_header(&header, place)?;
                if let Some(identity) = header.identity() {
                    domain = domain_of(identity.medium);
                }
                let domain = domain.ok_or_else(|| no_domain(header.identity().or(known)))?;
                for item in records {
                    if let Ok(Item::Record(record)) = item {
                        reading.take_record(domain, &record, planted);
                    }
                }
            }
            Application::Fixed { fixed, .. } => {
                let medium = || format!("no identifiers for a meter of {}", fixed.medium_name());
                let domain = domain_of_fixed(fixed.medium).ok_or_else(medium)?;
                reading.take_fixed(domain, &fixed, known, planted);
            }
            other => {
                let found = other.control_information();
                return Err(format!(
                    "control information {found:02X} in telegram {telegram}, expected a variable \
                     or fixed data structure"
                ));
            }
        }
    }
    Ok(reading)
}

fn no_domain(identity: Option<&Identity>) -> String {
    identity.map_or_else(
        || "an answer without a header of an unknown meter, expected a device type".to_owned(),
        |known| format!("no identifiers for device type {}", known.medium.name()),
    )
}

pub(super) fn status_text(status: u8) -> String {
    let mut parts = Vec::new();
    match status & 3 {
        2 => parts.push("application error"),
        3 => parts.push("abnormal condition"),
        _ => {}
    }
    let bits = [(0x04, "power low"), (0x08, "permanent error"), (0x10, "temporary error")];
    parts.extend(bits.iter().filter(|(bit, _)| status & bit != 0).map(|(_, text)| *text));
    format!("status {status:02X}: {}", parts.join(", "))
}

impl Reading {
    fn take_header(&mut self, header: &Header, place: usize) -> Result<(), String> {
        if let Some((access_number, status, signature)) = header.state() {
            let mode = header.security_mode();
            if mode != 0 {
                return Err(format!(
                    "the answer is encrypted (configuration {signature:04X}, security mode \
                     {mode}), expected mode 0"
                ));
            }
            if place == 0 {
                self.access_number = Some(access_number);
            }
            let application = if status.0 & 2 != 0 { status.0 & 3 } else { 0 };
            self.status |= status.0 & ERRORS | application;
        }
        match (self.identity, header.identity()) {
            (Some(first), Some(other)) if first != *other => {
                Err(format!("telegrams of {first} and of {other}, expected those of one meter"))
            }
            (first, other) => {
                self.identity = first.or(other.copied());
                Ok(())
            }
        }
    }

    fn take_record(&mut self, domain: Domain, record: &Record<'_>, planted: Planted) {
        let quantity = record.quantity();
        if (record.storage, record.tariff, record.subunit) != (0, 0, 0)
            || identifier(domain, quantity, None, false).is_none()
        {
            return;
        }
        let mut phase = None;
        for modifier in record.vifes.modifiers() {
            match modifier {
                Modifier::Multiply { .. }
                | Modifier::Add { .. }
                | Modifier::Record("no error" | "standard conforming data content") => {}
                Modifier::Record(error) => return self.refuse(quantity, error),
                Modifier::Extended("at phase L1") => phase = Some(Phase::L1),
                Modifier::Extended("at phase L2") => phase = Some(Phase::L2),
                Modifier::Extended("at phase L3") => phase = Some(Phase::L3),
                // Another quantity than the plain one.
                _ => return,
            }
        }
        match record.function {
            Function::Instantaneous => {}
            Function::DuringError => return self.refuse(quantity, "a value during an error"),
            Function::Maximum | Function::Minimum => return,
        }
        let is_decimal = matches!(record.value, Value::Bcd { .. } | Value::VariableBcd { .. });
        let number = match (record.decimal(), record.number()) {
            (Some(decimal), _) => Number::Exact(decimal),
            (None, Some(real)) if real.is_finite() => Number::Real(real),
            _ => return self.refuse(quantity, &format!("`{}` is not a number", record.value)),
        };
        self.take(
            domain,
            quantity,
            record.unit(),
            phase,
            planted.apply(quantity, number, is_decimal),
        );
    }

    fn take_fixed(
        &mut self,
        domain: Domain,
        fixed: &Fixed,
        known: Option<&Identity>,
        planted: Planted,
    ) {
        self.access_number = Some(fixed.access_number);
        self.status = fixed.status.0 & ERRORS;
        let open = known.copied().unwrap_or(Identity::ANY);
        self.identity = Some(Identity { identification: fixed.identification, ..open });
        for (place, counter) in fixed.counters.iter().enumerate() {
            let meaning = fixed.meaning(place);
            if identifier(domain, meaning.quantity, None, false).is_none() {
                continue;
            }
            if fixed.status.is_stored() {
                self.refuse(meaning.quantity, "a value of a fixed date, expected the current one");
                continue;
            }
            let Some(decimal) = fixed.decimal(place) else {
                self.refuse(meaning.quantity, &format!("`{counter}` is not a number"));
                continue;
            };
            let is_decimal = matches!(counter, Counter::Bcd(_));
            let number = planted.apply(meaning.quantity, Number::Exact(decimal), is_decimal);
            self.take(domain, meaning.quantity, meaning.unit, None, number);
        }
    }

    fn refuse(&mut self, quantity: Quantity, why: &str) {
        self.refused.push(format!("{}: {why}", quantity.name()));
    }

    fn take(
        &mut self,
        domain: Domain,
        quantity: Quantity,
        unit: Unit,
        phase: Option<Phase>,
        number: Number,
    ) {
        let is_negative = match number {
            Number::Exact(decimal) => decimal.mantissa < 0,
            Number::Real(real) => real < 0.0,
        };
        let Some(id) = identifier(domain, quantity, phase, is_negative) else { return };
        let Some(value) = converted(number, unit, id).filter(|value| value.is_finite()) else {
            let why =
                format!("unit `{}` is unsupported, expected {}", unit.symbol(), id.row().unit);
            return self.refuse(quantity, &why);
        };
        if self.values.iter().any(|(other, _)| *other == id) {
            return self.refuse(quantity, "a second value, expected one");
        }
        if domain != Domain::Electricity || quantity != Quantity::Power {
            return self.values.push((id, value));
        }
        // What a customer feeds in has an identifier of its own and no sign; both are always there.
        let other = identifier(domain, quantity, phase, !is_negative);
        self.values.push((id, value.abs()));
        self.values.extend(other.map(|other| (other, 0.0)));
    }
}

impl Planted {
    fn apply(self, quantity: Quantity, number: Number, is_decimal: bool) -> Number {
        let Number::Exact(Decimal { mut mantissa, mut exponent }) = number else { return number };
        if self.drop_sign && is_decimal {
            mantissa = mantissa.saturating_abs();
        }
        if quantity == Quantity::Volume {
            exponent += self.volume_exponent;
        }
        Number::Exact(Decimal { mantissa, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::super::address;
    use super::*;
    use lastmeter_mbus::control::Control;
    use proptest::prelude::*;

    /// A frame with user data from its control information field on.
    fn frame(user_data: &[u8]) -> Vec<u8> {
        let control = Control::RespondUserData { access_demand: false, data_flow_control: false };
        let mut bytes = Vec::new();
        Frame::with_data(control, 1, user_data[0], &user_data[1..])
            .expect("it fits")
            .encode(&mut bytes)
            .expect("it fits");
        bytes
    }

    fn values(user_data: &[u8], known: &str) -> Result<Vec<(&'static str, f64)>, String> {
        let known = address::parse(known);
        let reading = read(&[frame(user_data)], known.as_ref(), Planted::default())?;
        Ok(reading.values.iter().map(|(id, value)| (id.name(), *value)).collect())
    }

    const WATER: &str = "00000001-LMT-01-07";
    const ELECTRICITY: &str = "00000001-LMT-01-02";

    #[test]
    fn an_answer_without_a_header_is_read_as_what_the_meter_is_known_to_be() {
        let volume = [0x78, 0x0C, 0x13, 0x34, 0x12, 0x00, 0x00];
        assert_eq!(values(&volume, WATER), Ok(vec![("water.volume", 1.234)]));
        assert!(values(&volume, "").unwrap_err().contains("unknown meter"));
        let reading = read(&[frame(&volume)], address::parse(WATER).as_ref(), Planted::default());
        assert_eq!(reading.unwrap().access_number, None);
    }

    #[test]
    fn a_fixed_data_structure_has_its_own_access_number_and_status() {
        // M-Bus documentation, 6.2: identification 12345678, access number 10, heat (two bits in
        // each unit), litres and watts.
        let fixed = [
            0x73, 0x78, 0x56, 0x34, 0x12, 0x0A, 0x04, 0x29, 0x56, 0x01, 0x00, 0x00, 0x00, 0x35,
            0x01, 0x00, 0x00,
        ];
        let reading = read(&[frame(&fixed)], None, Planted::default()).unwrap();
        let read_values: Vec<_> = reading.values.iter().map(|(id, v)| (id.name(), *v)).collect();
        assert_eq!(read_values, [("heating.volume", 0.001), ("heating.power", 0.0135)]);
        assert_eq!((reading.access_number, reading.status), (Some(10), 4));
        assert_eq!(reading.identity.unwrap().identification.to_string(), "12345678");
        let stored =
            read(&[frame(&[&fixed[..6], &[0x02], &fixed[7..]].concat())], None, Planted::default());
        assert_eq!((stored.as_ref().unwrap().values.len(), stored.unwrap().refused.len()), (0, 2));
    }

    #[test]
    fn electricity_has_phases_and_two_directions() {
        let power = |low: u8| [0x78, 0x02, 0x2B, low, 0xFF];
        let injected = ("electricity.power.active.injected.total", 0.001);
        let consumed = ("electricity.power.active.consumed.total", 0.0);
        assert_eq!(values(&power(0xFF), ELECTRICITY), Ok(vec![injected, consumed]));
        // 230 V at phase L2 (FC 02), 5 A without a phase.
        let phases = [0x78, 0x02, 0xFD, 0xC8, 0xFC, 0x02, 0xFC, 0x08, 0x01, 0xFD, 0x5C, 0x05];
        let expected = [("electricity.voltage.rms.l2", 230.0), ("electricity.current.rms.l1", 5.0)];
        assert_eq!(values(&phases, ELECTRICITY), Ok(expected.to_vec()));
    }

    #[test]
    fn a_configuration_without_encryption_is_read_and_an_invalid_value_is_not() {
        let telegram = |configuration: [u8; 2]| {
            let [low, high] = configuration;
            let records = [0x02, 0x5B, 0x00, 0x80, 0x02, 0x5F, 0x2C, 0x00];
            [&[0x7A, 1, 0, low, high][..], &records].concat()
        };
        let known = address::parse("00000001-LMT-01-04");
        let of = |configuration| {
            read(&[frame(&telegram(configuration))], known.as_ref(), Planted::default())
        };
        let reading = of([0x01, 0x20]).unwrap();
        assert_eq!(reading.values.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [44.0]);
        assert_eq!(reading.refused, ["flow temperature: `invalid 8000` is not a number"]);
        let refused = of([0x10, 0x05]).err().unwrap();
        assert!(refused.contains("configuration 0510, security mode 5"), "{refused}");
    }

    #[test]
    fn only_the_current_plain_value_is_read_and_errors_are_listed() {
        let telegram = [
            0x78, 0x4C, 0x13, 1, 0, 0, 0, // storage 1
            0x8C, 0x10, 0x13, 2, 0, 0, 0, // tariff 1
            0x1C, 0x13, 3, 0, 0, 0, // maximum
            0x0C, 0x93, 0x3C, 4, 0, 0, 0, // accumulated only if negative
            0x0C, 0x93, 0x18, 5, 0, 0, 0, // data error
            0x3C, 0x13, 6, 0, 0, 0, // during an error
            0x0C, 0x13, 7, 0, 0, 0, 0x0C, 0x13, 8, 0, 0, 0,
        ];
        let known = address::parse(WATER);
        let reading = read(&[frame(&telegram)], known.as_ref(), Planted::default()).unwrap();
        assert_eq!(reading.values.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [0.007]);
        let expected = [
            "volume: data error",
            "volume: a value during an error",
            "volume: a second value, expected one",
        ];
        assert_eq!(reading.refused, expected);
        let cut = values(&telegram[..12], WATER).unwrap_err();
        assert!(cut.starts_with("telegram 1: "), "{cut}");
    }

    proptest! {
        #[test]
        fn any_user_data_does_no_harm(
            data in prop::collection::vec(any::<u8>(), 1..250), start in 0_usize..4,
        ) {
            let mut data = data;
            data[0] = [0x72, 0x78, 0x7A, 0x73][start];
            let planted = Planted { drop_sign: true, volume_exponent: 9 };
            if let Ok(reading) = read(&[frame(&data)], address::parse(WATER).as_ref(), planted) {
                prop_assert!(reading.values.iter().all(|(_, value)| value.is_finite()));
            }
        }
    }
}
