//! Specifications of devices, and the quantities of a tenant's own.

use lastmeter_wire::flexmeter::AlertLevel;

use serde::{Deserialize, Serialize};

use super::DocumentKind;
use super::body::{Body, Fault, Metadata, Name, Text, at_most, bodies, ensure, within};
use crate::access::Kind;

pub(super) const KINDS: &[DocumentKind] = &[
    DocumentKind::of::<Specification>("specification", Kind::Specification),
    DocumentKind::of::<Quantity>("quantity", Kind::Specification),
];

lastmeter_units::words! {
    /// How commands come to devices.
    pub enum Delivery in files {
        /// At once.
        Direct = "direct",
        /// When the device is heard.
        Mailbox = "mailbox",
    }
}

lastmeter_units::words! {
    /// What the values of a quantity are.
    pub enum QuantityKind in files {
        /// A state, such as a temperature.
        Gauge = "gauge",
        /// A register that rises.
        Counter = "counter",
        /// An amount since the last reading.
        Interval = "interval",
    }
}

lastmeter_units::words! {
    /// How the values of a quantity are summarised over a stretch of time.
    pub enum Summary in files {
        /// Their mean.
        Mean = "mean",
        /// Their sum.
        Sum = "sum",
        /// The last one less the first.
        Difference = "difference",
        /// The last one.
        Last = "last",
    }
}

bodies! {
    /// What devices of a type measure, report and take.
    document Specification {
        /// Name for people.
        name: Name,
        /// What the type is.
        description: Option<Text>,
        /// What is measured.
        #[serde(default, deserialize_with = "at_most::<_, _, 256>")]
        quantities: Vec<SpecifiedQuantity>,
        /// How commands come to devices.
        #[serde(default = "direct")]
        delivery: Delivery,
        /// After how many seconds of silence a device is missing.
        presence_after: Option<u32>,
        /// How often a device reports, in seconds; a time without readings is missing ones only
        /// by this.
        reporting_period: Option<u32>,
        /// The type of field network that connects them.
        network_type: Option<Name>,
        /// Types of alerts that they raise.
        #[serde(default, deserialize_with = "at_most::<_, _, 256>")]
        alert_types: Vec<AlertType>,
        /// Whether alerts of other types are refused; else they are marked.
        #[serde(default)]
        strict_alerts: bool,
    }

    /// A quantity that devices measure.
    struct SpecifiedQuantity {
        /// Its name in messages.
        id: Name,
        /// Its unit in messages.
        unit: Option<Name>,
        /// What its values are.
        kind: QuantityKind,
        /// The smallest step of its values, in its unit.
        #[serde(default, deserialize_with = "within::<_, 0, 1_000_000_000>")]
        resolution: Option<f64>,
        /// The greatest error of its values, in percent.
        #[serde(default, deserialize_with = "within::<_, 0, 100>")]
        accuracy: Option<f64>,
    }

    /// A type of alerts.
    struct AlertType {
        /// Its name in messages.
        name: Name,
        /// How bad such an alert is.
        #[serde(with = "level")]
        level: AlertLevel,
    }

    /// A quantity of the tenant's own; its name is the document's token, `x.NAME`.
    document Quantity {
        /// Its unit.
        unit: Option<Name>,
        /// What its values are.
        kind: QuantityKind,
        /// How its values are summarised.
        summary: Summary,
    }
}

const fn direct() -> Delivery {
    Delivery::Direct
}

/// Levels of alerts, as messages have them.
pub(super) mod level {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::AlertLevel;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(in crate::entity) fn serialize<S: Serializer>(
        level: &AlertLevel,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(level.word())
    }

    pub(in crate::entity) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<AlertLevel, D::Error> {
        let word = String::deserialize(from)?;
        AlertLevel::from_word(&word).ok_or_else(|| {
            D::Error::custom(format_args!("expected one of {}", AlertLevel::WORDS.join(", ")))
        })
    }
}

impl Body for Specification {
    const CODE: u8 = 1;

    fn validate(&self) -> Result<(), Fault> {
        for (index, quantity) in self.quantities.iter().enumerate() {
            let is_first = self.quantities[..index].iter().all(|other| other.id != quantity.id);
            ensure(is_first, format!("quantities[{index}].id"), "a quantity that is not listed")?;
        }
        for (index, alert) in self.alert_types.iter().enumerate() {
            let is_first = self.alert_types[..index].iter().all(|other| other.name != alert.name);
            ensure(is_first, format!("alertTypes[{index}].name"), "a type that is not listed")?;
        }
        Ok(())
    }
}

impl Specification {
    /// The level of a type of alerts, if it is declared.
    pub fn alert_level(&self, name: &str) -> Option<AlertLevel> {
        self.alert_types.iter().find(|kind| kind.name.as_str() == name).map(|kind| kind.level)
    }
}

impl Body for Quantity {
    const CODE: u8 = 17;

    fn validate(&self) -> Result<(), Fault> {
        let is_fit = match self.kind {
            QuantityKind::Gauge => matches!(self.summary, Summary::Mean | Summary::Last),
            QuantityKind::Counter => matches!(self.summary, Summary::Difference | Summary::Last),
            QuantityKind::Interval => self.summary == Summary::Sum,
        };
        let expected = "`mean` or `last` of a gauge, `difference` or `last` of a counter, \
            `sum` of an interval";
        ensure(is_fit, "summary", expected)
    }
}
