//! What is encoded is decoded as the same, for every kind of value, frame and application data.

use lastmeter_mbus::application::{Application, ApplicationError, variable};
use lastmeter_mbus::baud::BaudRate;
use lastmeter_mbus::control::Control;
use lastmeter_mbus::frame::{Frame, PRIMARY_MAX};
use lastmeter_mbus::header::{Header, Identification, Identity, Manufacturer, Medium, Status};
use lastmeter_mbus::record::{
    Counter, Date, DateTime, DateTimeSecond, Digits, EncodeError, Fixed, FixedStatus, Function,
    Item, Record, Records, Text, Time, Value, Vif, Vifes,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A record's parts that it borrows.
#[derive(Debug, Clone)]
struct Parts {
    function: Function,
    address: (u64, u32, u16),
    vif: (u8, u8, Vec<u8>),
    vifes: Vec<u8>,
    value: Kind,
}

/// A value with what it borrows.
#[derive(Debug, Clone)]
enum Kind {
    NoData,
    Selection,
    Integer(u8, i64),
    Real(u32),
    Bcd(u8, i64),
    Invalid(Vec<u8>),
    Date(Date),
    DateTime(DateTime),
    DateTimeSecond(DateTimeSecond),
    Time(Time),
    Text(Vec<u8>),
    VariableBcd(u8, i64),
    VariableInvalid(bool, Vec<u8>),
    Binary(Vec<u8>),
    VariableReal(u32),
    VariableDouble(u64),
    VariableOther(Vec<u8>),
}

impl Kind {
    fn value(&self) -> Value<'_> {
        match self {
            Self::NoData => Value::NoData,
            Self::Selection => Value::Selection,
            Self::Integer(bytes, value) => Value::Integer { bytes: *bytes, value: *value },
            Self::Real(bits) => Value::Real(f32::from_bits(*bits)),
            Self::Bcd(digits, value) => Value::Bcd { digits: *digits, value: *value },
            Self::Invalid(digits) => Value::Invalid(Digits(digits)),
            Self::Date(date) => Value::Date(*date),
            Self::DateTime(time) => Value::DateTime(*time),
            Self::DateTimeSecond(time) => Value::DateTimeSecond(*time),
            Self::Time(time) => Value::Time(*time),
            Self::Text(text) => Value::Text(Text(text)),
            Self::VariableBcd(bytes, value) => Value::VariableBcd { bytes: *bytes, value: *value },
            Self::VariableInvalid(negative, digits) => {
                Value::VariableInvalid { negative: *negative, digits: Digits(digits) }
            }
            Self::Binary(bytes) => Value::Binary(bytes),
            Self::VariableReal(bits) => Value::VariableReal(f32::from_bits(*bits)),
            Self::VariableDouble(bits) => Value::VariableDouble(f64::from_bits(*bits)),
            Self::VariableOther(bytes) => Value::VariableOther(bytes),
        }
    }

    /// The code that makes such a value a date, or none that does.
    fn code(&self, code: u8) -> u8 {
        match self {
            Self::Date(_) => 0x6C,
            Self::DateTime(_) | Self::DateTimeSecond(_) | Self::Time(_) => 0x6D,
            // What is no number in some codes is one in others.
            Self::Integer(..) => 0x13,
            _ if [0x6C, 0x6D].contains(&code) => 0x13,
            _ => code,
        }
    }
}

impl Parts {
    fn record(&self) -> Record<'_> {
        let (table, code, text) = &self.vif;
        let code = self.value.code(*code);
        let dated = [0x6C, 0x6D].contains(&code);
        let vif = match (table, code) {
            (0, 0x7B..=0x7D) => Vif::Primary(0x13),
            (0, code) => Vif::Primary(code),
            (_, code) if dated => Vif::Primary(code),
            (1, 0x30 | 0x70) => Vif::Fd(0x40),
            (1, code) => Vif::Fd(code),
            (2, code) => Vif::Fb(code),
            _ => Vif::PlainText(text),
        };
        let (storage, tariff, subunit) = self.address;
        let (function, vifes) = (self.function, Vifes(&self.vifes));
        Record { function, storage, tariff, subunit, vif, vifes, value: self.value.value() }
    }
}

/// Digits of which at least one is not decimal, whatever the sign may be.
fn invalid(bytes: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<u8>> {
    bytes.prop_flat_map(|bytes| (vec(any::<u8>(), bytes), 0..bytes, 0xAu8..=0xF)).prop_map(
        |(mut digits, place, wrong)| {
            digits[place] = digits[place] & 0xF0 | wrong;
            digits
        },
    )
}

fn date() -> impl Strategy<Value = Date> {
    (0u8..32, 0u8..16, 0u8..128).prop_map(|(day, month, year)| Date { day, month, year })
}

fn time() -> impl Strategy<Value = Time> {
    (0u8..32, 0u8..64, 0u8..64).prop_map(|(hour, minute, second)| Time { hour, minute, second })
}

fn date_time() -> impl Strategy<Value = DateTime> {
    (date(), time(), 0u8..4, any::<bool>(), any::<bool>()).prop_map(
        |(date, Time { hour, minute, .. }, century, invalid, summer)| DateTime {
            date,
            hour,
            minute,
            century,
            invalid,
            summer,
        },
    )
}

fn date_time_second() -> impl Strategy<Value = DateTimeSecond> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (date(), time(), 0u8..8, 0u8..64, flags, -3i8..=3).prop_map(
        |(date, time, day_of_week, week, (invalid, summer, leap_year), deviation_hours)| {
            let Time { hour, minute, second } = time;
            DateTimeSecond {
                date,
                hour,
                minute,
                second,
                day_of_week,
                week,
                invalid,
                summer,
                leap_year,
                deviation_hours,
            }
        },
    )
}

fn kind() -> impl Strategy<Value = Kind> {
    let integer = (prop::sample::select(vec![1u8, 2, 3, 4, 6, 8]), any::<i64>()).prop_map(
        |(bytes, value)| {
            let unused = 64 - 8 * u32::from(bytes);
            // The most negative one is not valid.
            Kind::Integer(bytes, (value << unused >> unused).max((i64::MIN >> unused) + 1))
        },
    );
    let bcd =
        (prop::sample::select(vec![2u8, 4, 6, 8, 12]), any::<i64>()).prop_map(|(digits, value)| {
            let room = if value < 0 { digits - 1 } else { digits };
            Kind::Bcd(digits, value % 10_i64.pow(room.into()))
        });
    let variable = (0u8..=9, any::<i64>()).prop_map(|(bytes, value)| {
        Kind::VariableBcd(bytes, value % 10_i64.pow(2 * u32::from(bytes)))
    });
    let other = vec(any::<u8>(), 0..=10)
        .prop_filter("reals have their own", |bytes| ![4, 8].contains(&bytes.len()));
    prop_oneof![
        Just(Kind::NoData),
        Just(Kind::Selection),
        integer,
        any::<u32>().prop_map(Kind::Real),
        bcd,
        invalid(prop::sample::select(vec![1usize, 2, 3, 4, 6])).prop_map(Kind::Invalid),
        date().prop_map(Kind::Date),
        date_time().prop_map(Kind::DateTime),
        date_time_second().prop_map(Kind::DateTimeSecond),
        time().prop_map(Kind::Time),
        vec(any::<u8>(), 0..=20).prop_map(Kind::Text),
        variable,
        (any::<bool>(), invalid(1usize..=9))
            .prop_map(|(negative, digits)| Kind::VariableInvalid(negative, digits)),
        vec(any::<u8>(), 0..=15).prop_map(Kind::Binary),
        any::<u32>().prop_map(Kind::VariableReal),
        any::<u64>().prop_map(Kind::VariableDouble),
        other.prop_map(Kind::VariableOther),
    ]
}

fn parts() -> impl Strategy<Value = Parts> {
    let function = prop::sample::select(vec![
        Function::Instantaneous,
        Function::Maximum,
        Function::Minimum,
        Function::DuringError,
    ]);
    let address = (0u64..1 << 41, 0u32..1 << 20, 0u16..1 << 10, 0u8..3).prop_map(|all| match all {
        (storage, tariff, subunit, 0) => (storage, tariff, subunit),
        (storage, tariff, subunit, 1) => (storage % 40, tariff % 4, subunit % 4),
        _ => (0, 0, 0),
    });
    // No extension that makes the value a date: those have their own test.
    let code = (0u8..0x80).prop_filter("time points", |code| {
        ![0x39, 0x7C, 0x42, 0x43, 0x46, 0x47, 0x4A, 0x4B, 0x4E, 0x4F, 0x6A, 0x6B, 0x6E, 0x6F]
            .contains(code)
    });
    let vif = (0u8..4, 0u8..0x80, vec(any::<u8>(), 0..12));
    (function, address, vif, vec(code, 0..=9), kind()).prop_map(
        |(function, address, vif, vifes, value)| Parts { function, address, vif, vifes, value },
    )
}

fn identity() -> impl Strategy<Value = Identity> {
    any::<[u8; 8]>().prop_map(Identity::from_bytes)
}

fn control() -> impl Strategy<Value = Control> {
    let frame_count = any::<Option<bool>>();
    (0u8..5, frame_count, any::<bool>(), any::<bool>()).prop_map(
        |(kind, frame_count, access_demand, data_flow_control)| match kind {
            0 => Control::SendReset,
            1 => Control::SendUserData { frame_count },
            2 => Control::RequestUserData1 { frame_count },
            3 => Control::RequestUserData2 { frame_count },
            _ => Control::RespondUserData { access_demand, data_flow_control },
        },
    )
}

fn counter(binary: bool, bits: u32) -> Counter {
    let value = i64::from(bits.cast_signed());
    let invalid = (bits | 0xC).to_le_bytes();
    match (binary, bits % 3) {
        (true, _) => Counter::Binary(bits.cast_signed()),
        (false, 0) => Counter::Invalid(invalid),
        _ => Counter::Bcd(value % if value < 0 { 10_000_000 } else { 100_000_000 }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_record_is_read_as_it_was_written(parts in vec(parts(), 1..5)) {
        let records: Vec<Record<'_>> = parts.iter().map(Parts::record).collect();
        let mut bytes = Vec::new();
        for record in &records {
            record.encode(&mut bytes).expect("it is made to fit");
        }
        let read: Result<Vec<Item<'_>>, _> = Records::new(&bytes).collect();
        let written: Vec<Item<'_>> = records.iter().copied().map(Item::Record).collect();
        prop_assert_eq!(read.expect("it was written"), written);
    }

    #[test]
    fn a_frame_is_read_as_it_was_written(
        control in control(),
        address: u8,
        information: u8,
        data in vec(any::<u8>(), 0..=252),
    ) {
        let long = Frame::with_data(control, address, information, &data).expect("it fits");
        for frame in [Frame::Acknowledge, Frame::Short { control, address }, long] {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes).expect("it fits");
            prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
        }
    }

    #[test]
    fn application_data_is_read_as_it_was_written(
        identity in identity(),
        numbers: [u8; 4],
        counters: [u32; 2],
        code: u8,
        parts in parts(),
    ) {
        let [access_number, status, low, high] = numbers;
        let signature = u16::from_le_bytes([low, high]);
        let status = Status(status);
        let record = parts.record();
        let mut bytes = Vec::new();
        record.encode(&mut bytes).expect("it is made to fit");
        let binary = access_number % 2 == 1;
        let fixed = Fixed {
            identification: identity.identification,
            access_number,
            status: FixedStatus(status.0 & 0xFE | u8::from(binary)),
            medium: low & 15,
            units: [high & 63, code & 63],
            counters: counters.map(|bits| counter(binary, bits)),
        };
        let header = Header::Long { identity, access_number, status, signature };
        let short = Header::Short { access_number, status, signature };
        let all = |header: Header, head: usize| {
            Application::Variable { header, records: Records::within(&bytes, 7 + head) }
        };
        let written = [
            all(header, 12),
            all(short, 4),
            all(Header::None, 0),
            Application::Fixed { fixed, high_first: false },
            Application::Fixed { fixed, high_first: true },
            Application::Error(ApplicationError::from_code(code)),
            Application::Alarm(code),
            Application::Reset { subcode: Some(code) },
            Application::Reset { subcode: None },
            Application::Synchronise,
            Application::SetBaud(BaudRate::ALL[usize::from(code % 8)]),
            Application::Data { records: Records::within(&bytes, 7) },
            Application::Select { mask: identity, records: Records::within(&bytes, 15) },
        ];
        for application in written {
            let mut out = Vec::new();
            application.encode(&mut out).expect("it fits");
            let control = Control::RESPONSE;
            let frame = Frame::with_data(control, PRIMARY_MAX, out[0], &out[1..]).expect("it fits");
            prop_assert_eq!(Application::decode(&frame), Ok(application));
        }
        let made = variable(&short, &[Item::Record(record)]).expect("it fits");
        let mut out = Vec::new();
        all(short, 4).encode(&mut out).expect("it fits");
        prop_assert_eq!(made, out);
    }

    #[test]
    fn identifications_and_letters_come_back(number in 0u32..100_000_000, letters in "[A-Z]{3}") {
        let id = Identification::from_number(number).expect("eight digits");
        prop_assert_eq!(id.to_string(), format!("{number:08}"));
        let manufacturer = Manufacturer::from_letters(&letters).expect("three letters");
        prop_assert_eq!(manufacturer.to_string(), letters);
    }

    #[test]
    fn a_decimal_is_the_number_its_text_is(
        digits in -99_999_999_999i64..=99_999_999_999,
        code in 0u8..0x60,
        factor in 0u8..8,
    ) {
        let vifes = [0x70 | factor];
        let value = Value::Bcd { digits: 12, value: digits };
        let vif = Vif::Primary(code);
        let record = Record { vifes: Vifes(&vifes), ..Record::new(vif, value) };
        let decimal = record.decimal().expect("a number");
        prop_assert_eq!(decimal.mantissa, digits);
        let expected = i16::from(vif.meaning().exponent) + i16::from(factor) - 6;
        prop_assert_eq!(decimal.exponent, expected);
        // The text is exact and parsing rounds correctly, so the number has to be the nearest.
        prop_assert_eq!(record.number(), decimal.to_string().parse::<f64>().ok());
    }
}

#[test]
fn what_has_no_bytes_is_rejected_and_leaves_nothing() {
    let volume = |value| Record::new(Vif::Primary(0x13), value);
    let date = Date { day: 1, month: 1, year: 20 };
    let sixteen = [0; 16];
    let eleven = [0; 11];
    let with = |vif, vifes| Record { vif, vifes: Vifes(vifes), ..volume(Value::NoData) };
    let far = Record { storage: 1 << 41, ..volume(Value::NoData) };
    let time_point = Value::Integer { bytes: 4, value: 1 };
    let wrong = [
        (
            volume(Value::Integer { bytes: 1, value: 128 }),
            EncodeError::Number { value: 128, bytes: 1 },
        ),
        (volume(Value::Integer { bytes: 5, value: 1 }), EncodeError::Width { found: 5 }),
        (volume(Value::Integer { bytes: 1, value: -128 }), EncodeError::Coding),
        (Record::new(Vif::Fd(0x17), Value::InvalidInteger { bytes: 2 }), EncodeError::Coding),
        (
            volume(Value::Bcd { digits: 4, value: -1000 }),
            EncodeError::Number { value: -1000, bytes: 2 },
        ),
        (volume(Value::Bcd { digits: 10, value: 1 }), EncodeError::Width { found: 10 }),
        (volume(Value::Invalid(Digits(&[0x12]))), EncodeError::ValidDigits),
        (volume(Value::Date(date)), EncodeError::Coding),
        (Record::new(Vif::Primary(0x6D), time_point), EncodeError::Coding),
        (Record::new(Vif::Primary(0x6C), Value::Date(Date { day: 32, ..date })), EncodeError::Date),
        (volume(Value::Binary(&sixteen)), EncodeError::TooLong { found: 16, limit: 15 }),
        (with(Vif::Primary(0x13), &eleven), EncodeError::TooManyVife { found: 11 }),
        (with(Vif::Fd(0x13), &eleven[..10]), EncodeError::TooManyVife { found: 11 }),
        (with(Vif::Primary(0x7D), &eleven[..1]), EncodeError::Code { code: 0x7D }),
        (far, EncodeError::TooManyDife { storage: 1 << 41, tariff: 0, subunit: 0 }),
    ];
    for (record, error) in wrong {
        let mut out = vec![1, 2];
        assert_eq!(record.encode(&mut out), Err(error), "{record:?}");
        assert_eq!(out, [1, 2]);
    }
    let header = Header::Long {
        identity: Identity { medium: Medium::WATER, ..Identity::default() },
        access_number: 0,
        status: Status(0),
        signature: 0,
    };
    let data = [0; 240];
    let item = Item::Manufacturer { more_records_follow: false, data: &data };
    assert_eq!(variable(&header, &[item]), Err(EncodeError::Telegram { found: 253 }));
}
