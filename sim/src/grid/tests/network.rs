//! Small networks: a source at `bus`, behind it perhaps a switch and a line, and loads.

use std::fmt::Write as _;

use lastmeter_grid::format::toml;
use lastmeter_grid::network::Network;

/// 400 V: a source of so many MVA, maybe a switch `cb` to a node `feeder`, maybe a line `L` of
/// these ohms (resistance and reactance of each phase, none between them) to a node `home`, and
/// loads.
pub(in crate::grid) fn network(
    source_mva: u32,
    has_switch: bool,
    line_ohm: Option<[f64; 2]>,
    loads: &str,
) -> Network {
    let mut text = format!(
        "format = 1\nvoltage = \"400 V\"\n[[node]]\nname = \"bus\"\n[[source]]\nname = \"supply\"\n\
         node = \"bus\"\nshort_circuit_power = \"{source_mva} MVA\"\n"
    );
    let mut end = "bus";
    if has_switch {
        end = "feeder";
        text += "[[node]]\nname = \"feeder\"\n[[switch]]\nname = \"cb\"\nfrom = \"bus\"\n\
                 to = \"feeder\"\n";
    }
    if let Some([r, x]) = line_ohm {
        let _ = write!(
            text,
            "[[node]]\nname = \"home\"\n[[line]]\nname = \"L\"\nfrom = \"{end}\"\nto = \"home\"\n\
             length = \"1 km\"\nr1 = \"{r} ohm/km\"\nx1 = \"{x} ohm/km\"\n"
        );
    }
    toml::read("test.toml", &(text + loads)).unwrap()
}

/// A load of 3 kW in three phases to earth, with further keys.
pub(in crate::grid) fn three_phase_load(node: &str, more: &str) -> String {
    format!(
        "[[load]]\nname = \"h\"\nnode = \"{node}\"\nwires = \"abc\"\nconnection = \"star\"\n\
         p = \"3 kW\"\n{more}"
    )
}
