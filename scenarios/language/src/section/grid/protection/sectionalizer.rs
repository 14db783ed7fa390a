//! `kind = "sectionalizer"`: a switch that counts interruptions upstream and opens in a dead time.

use lastmeter_grid::protection::{Sectionalizer, SectionalizerSettings};
use lastmeter_params::{Entry, Field, Kind};

use super::relay::PICKUP;
use super::{AMPERES, PLACES, ProtectionKind, SECONDS};

pub(super) static SECTIONALIZER: ProtectionKind = ProtectionKind {
    entry: Entry {
        name: "sectionalizer",
        summary: "a switch that counts interruptions upstream and opens in a dead time",
        description: "It counts when a current above `pickup` ends within `interruption`, and opens \
        after `counts` of them while there is no current.",
        fields: &[
            PICKUP,
            Field::default("dead", AMPERES, "\"0.5 A\"", "a current of at most this is none"),
            Field::default("counts", Kind::Integer { min: 1, max: 8 }, "2", "until it opens"),
            Field::default(
                "interruption",
                SECONDS,
                "\"0.2 s\"",
                "how soon after the fault's current",
            ),
            Field::default("opening", SECONDS, "\"60 ms\"", "from the last count until it opens"),
            Field::default("memory", SECONDS, "\"60 s\"", "after which it forgets its counts"),
        ],
    },
    places: PLACES,
    help: None,
    idle: |_| None,
    build: |values, _| {
        let settings = SectionalizerSettings {
            actuating_a: values.si("pickup"),
            dead_a: values.si("dead"),
            interruption_s: values.si("interruption"),
            counts: u32::try_from(values.integer("counts")).unwrap_or(1),
            opening_s: values.si("opening"),
            memory_s: values.si("memory"),
        };
        Ok(Box::new(Sectionalizer::new(settings)?))
    },
};
