//! Injections into CAN buses: the wire, the driver of a node, bits in error, an attacker.
//!
//! The bus knows of them from the start, so that each begins and ends with a bit.

use lastmeter_link::medium::{Attack, CanAttack, CanFault, Protection};
use lastmeter_params::{Code, Diagnostics, Dimension, Entry, Field, Kind, Values};
use lastmeter_units::SimTime;

use super::injection::{FOR, Injection, report_late_end};
use super::kind::InjectKind;
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row};
use crate::references::Target;

/// An injection into a CAN bus.
pub(super) struct CanKind {
    entry: Entry,
    /// Whether two on one bus may overlap that befall different devices.
    is_of_device: bool,
    /// Reports what is wrong with its values.
    check: fn(&Row<'_>, &mut Diagnostics),
    /// What it does.
    read: fn(&Values) -> CanFault,
}

const NETWORK: Field = Field::required("network", Kind::Name, "the CAN bus it happens to");

/// `can_cut`.
pub(super) static CUT: CanKind = CanKind {
    entry: Entry {
        name: "can_cut",
        summary: "the wire of a CAN bus is cut in front of a device",
        description: "The gateway and the devices before it, in the order of the file, are apart \
            from it and those behind it. On both sides the bus goes on, terminated.",
        fields: &[
            NETWORK,
            Field::required("device", Kind::Name, "the first device behind the cut"),
            FOR,
        ],
    },
    is_of_device: false,
    check: |_, _| {},
    read: |_| CanFault::Cut,
};

/// `can_short`.
pub(super) static SHORT: CanKind = CanKind {
    entry: Entry {
        name: "can_short",
        summary: "the conductors of a CAN bus are joined, or held at a level",
        description: "`recessive`: both conductors are joined, nobody hears anybody, and whoever \
            sends sees its dominant bits missing. `dominant`: the level of a frame that has no \
            end.",
        fields: &[
            NETWORK,
            Field::default(
                "level",
                Kind::Choice(&["dominant", "recessive"]),
                "\"recessive\"",
                "the level that stays",
            ),
            FOR,
        ],
    },
    is_of_device: false,
    check: |_, _| {},
    read: |values| CanFault::Short { is_recessive: values.text("level") == "recessive" },
};

/// `can_babble`.
pub(super) static BABBLE: CanKind = CanKind {
    entry: Entry {
        name: "can_babble",
        summary: "a device drives the dominant level of a CAN bus",
        description: "Its transceiver does, whatever its controller sends: nobody can send \
            meanwhile, and all find errors.",
        fields: &[NETWORK, Field::required("device", Kind::Name, "the device that does"), FOR],
    },
    is_of_device: true,
    check: |_, _| {},
    read: |_| CanFault::Babble,
};

/// `can_bit_errors`.
pub(super) static BIT_ERRORS: CanKind = CanKind {
    entry: Entry {
        name: "can_bit_errors",
        summary: "bits on a CAN bus are read wrongly, at a rate",
        description: "On top of the rates of the network itself.",
        fields: &[
            NETWORK,
            Field::optional(
                "device",
                Kind::Name,
                "the device that reads them wrongly; left out, all nodes do",
            ),
            Field::required(
                "rate",
                Kind::Quantity { dimension: Dimension::Ratio, min: 1e-12, max: 0.1 },
                "probability for each bit",
            ),
            FOR,
        ],
    },
    is_of_device: true,
    check: |_, _| {},
    read: |values| CanFault::BitErrors { rate: values.si("rate") },
};

/// `can_attack`.
pub(super) static ATTACK: CanKind = CanKind {
    entry: Entry {
        name: "can_attack",
        summary: "a node that does not belong to a CAN bus attacks a device's messages",
        description: "It is connected from the start on, listens, and has no key. `suppress` \
            drives the device to bus-off by frames of its identifier, `flood` takes the bus, \
            `drop-then-replay` destroys a message and sends it later (the network needs `detail = \
            \"bits\"`), the others send what was heard, as it was or changed. Two attacks on one \
            bus do not overlap.",
        fields: &ATTACK_FIELDS,
    },
    is_of_device: false,
    check: |row, out| {
        let attack = row.text("attack");
        if let Some((_, span)) = attack.filter(|(word, _)| *word == Attack::Transplant.word())
            && row.table.get("elsewhere").is_none()
        {
            let message = "`transplant` needs `elsewhere`, the identifier that it sends under";
            let label = "expected `elsewhere` beside it";
            out.report(Code::MISSING_KEY, span, message, label);
        }
    },
    read: |values| {
        let number = |key| u64::try_from(values.integer(key)).unwrap_or(0);
        CanFault::Attack(CanAttack {
            attack: Attack::from_word(values.text("attack")).unwrap_or(Attack::Flood),
            protection: Protection::from_word(values.text("protection"))
                .unwrap_or(Protection::None),
            register: u8::try_from(number("register")).unwrap_or(u8::MAX),
            elsewhere: values
                .integer_opt("elsewhere")
                .and_then(|identifier| u16::try_from(identifier).ok())
                .unwrap_or(0),
            times: number("times"),
            pause: values.duration("pause"),
        })
    },
};

static ATTACK_FIELDS: [Field; 9] = [
    NETWORK,
    Field::required("device", Kind::Name, "the device whose messages it attacks"),
    Field::required("attack", Kind::Choice(Attack::WORDS), "what it does"),
    Field::default(
        "protection",
        Kind::Choice(Protection::WORDS),
        "\"none\"",
        "how the device's messages are protected, which decides where their data and MAC are",
    ),
    Field::default(
        "register",
        Kind::Integer { min: 0, max: 63 },
        "16",
        "the register of the messages: their identifier is register * 32 + node; 16 is that of \
         voltage and current",
    ),
    Field::optional(
        "elsewhere",
        Kind::Integer { min: 0, max: 2047 },
        "of `transplant`: the identifier under which it sends a message",
    ),
    Field::default(
        "times",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        "1",
        "how often, if there is time",
    ),
    Field::default(
        "pause",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: 86_400.0 },
        "\"1 ms\"",
        "how long it waits after each time; without a pause it takes all of the bus that it gets",
    ),
    FOR,
];

impl InjectKind for CanKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        report_late_end(row, draft, out);
        (self.check)(row, out);
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("network")?;
        let network = places.networks.find(name, span, places.out)?;
        let table = places.network_rows.get(network)?;
        if let Some(kind) = table.kind.filter(|kind| *kind != "can") {
            let message = format!("`{name}` is a network of kind `{kind}`");
            let label = "expected a network of kind `can`";
            places.out.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        let word = row.text("attack");
        let attack = word.and_then(|(word, span)| Some((Attack::from_word(word)?, span)));
        let is_by_bits = table.text("detail").is_some_and(|(detail, _)| detail == "bits");
        if let Some((attack, span)) = attack.filter(|it| it.0.is_bit_by_bit() && !is_by_bits) {
            let message = format!(
                "`{}` drives single bits, and `{name}` is calculated by frames",
                attack.word()
            );
            let label = "expected `detail = \"bits\"` in the network";
            places.out.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        let Some((name_of_device, span)) = row.reference("device") else {
            return Some(Target::Bus { network, device: None });
        };
        let device = places.devices.find(name_of_device, span, places.out)?;
        if places.network_of_device.get(device).copied().flatten() != Some(network) {
            let message = format!("`{name_of_device}` is not on network `{name}`");
            let label = format!("expected a device with `on = \"network:{name}\"`");
            places.out.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        attack.is_none_or(|_| fits_protection(row, device, places)).then_some(())?;
        Some(Target::Bus { network, device: Some(device) })
    }

    fn excludes(&self, one: &Target, other: &Target) -> bool {
        match (one, other) {
            (Target::Bus { network, device }, Target::Bus { network: same, device: of }) => {
                network == same && (!self.is_of_device || device == of)
            }
            _ => false,
        }
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let Target::Bus { network, device } = injection.target else { return Vec::new() };
        let length = injection.values.duration_opt("for");
        let until = length.map_or(SimTime(i64::MAX), |length| injection.instant + length);
        vec![Order::Can { network, device, fault: (self.read)(&injection.values), until }]
    }
}

/// Whether an attacker takes a device's messages as they are: otherwise it would never find one.
fn fits_protection(row: &Row<'_>, device: usize, places: &mut Places<'_>) -> bool {
    let none = Protection::None.word();
    let authentication = places.authentication_of_device.get(device).copied().flatten();
    let (own, span) = row.text("protection").unwrap_or((none, row.span));
    let theirs = authentication.unwrap_or(none);
    if own != theirs {
        let message = format!("`protection` is `{own}`, and the device's messages have `{theirs}`");
        let label = format!("expected `protection = \"{theirs}\"`");
        places.out.report(Code::DOES_NOT_FIT, span, message, label);
    }
    own == theirs
}
