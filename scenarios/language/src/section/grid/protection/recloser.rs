//! `kind = "recloser"`: a breaker that trips, recloses, and gives up after a sequence.

use lastmeter_grid::protection::{Recloser, RecloserSettings};
use lastmeter_params::{Entry, Field, Kind, Values};

use super::relay::{CURVE, EARTH_PICKUP, OPENING, PICKUP, idle_keys, relay};
use super::{PLACES, ProtectionKind, RATIO, Refusal, SECONDS};

pub(super) static RECLOSER: ProtectionKind = ProtectionKind {
    entry: Entry {
        name: "recloser",
        summary: "a breaker that trips, recloses, and gives up after a sequence",
        description: "Its first `fast` trips go by `fast_multiplier`, the others by `multiplier` (of a \
        definite curve: `fast_time` and `time`). After trip k it recloses in the k-th of \
        `dead_times`; after the last trip it locks out until `restore`.",
        fields: &[
            CURVE,
            PICKUP,
            EARTH_PICKUP,
            Field::default("trips", Kind::Integer { min: 1, max: 8 }, "4", "until it locks out"),
            Field::default(
                "fast",
                Kind::Integer { min: 0, max: 8 },
                "2",
                "of these by the fast curve",
            ),
            Field::default("fast_multiplier", RATIO, "0.05", "time multiplier of the fast trips"),
            Field::default("multiplier", RATIO, "0.5", "time multiplier of the slow trips"),
            Field::default("fast_time", SECONDS, "\"50 ms\"", "of a definite curve, fast trips"),
            Field::default("time", SECONDS, "\"0.5 s\"", "of a definite curve, slow trips"),
            Field::default(
                "dead_times",
                Kind::List(&SECONDS),
                "[\"0.5 s\", \"5 s\", \"15 s\"]",
                "between two trips each",
            ),
            Field::default("reclaim", SECONDS, "\"30 s\"", "without pick-up it begins again"),
            OPENING,
        ],
    },
    places: PLACES,
    help: None,
    idle: idle_keys,
    build: |values, _| Ok(Box::new(recloser(values)?)),
};

fn recloser(values: &Values) -> Result<Recloser, Refusal> {
    let trips = usize::try_from(values.integer("trips")).unwrap_or(1);
    let fast = usize::try_from(values.integer("fast")).unwrap_or(0);
    let mut dead_times_s = values.si_list("dead_times");
    if !values.is_written("dead_times") {
        dead_times_s.truncate(trips - 1);
        let last_s = dead_times_s.last().copied().unwrap_or(15.0);
        dead_times_s.resize(trips - 1, last_s);
    }
    let trip = |at: usize| {
        let keys =
            if at < fast { ["fast_multiplier", "fast_time"] } else { ["multiplier", "time"] };
        relay(values, (values.si(keys[0]), values.si(keys[1])), None)
    };
    Ok(Recloser::new(RecloserSettings {
        trips: (0..trips).map(trip).collect::<Result<_, _>>()?,
        dead_times_s,
        reclaim_s: values.si("reclaim"),
        opening_s: values.si("opening"),
    })?)
}
