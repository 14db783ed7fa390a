//! Short circuits of a network file: `short_circuits FILE [maximum|minimum|actual] [output|sweep]`.
//!
//! The file is the JSON of power-grid-model. Prints either the results of the faults that it has,
//! or those of every fault at every node.

use std::io::Write as _;

use lastmeter_grid::Complex64;
use lastmeter_grid::flow::Phases;
use lastmeter_grid::format::pgm;
use lastmeter_grid::short_circuit::{Kind, Options, PrefaultState, Scaling, solve, sweep};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, scaling, what] = words.as_slice() else {
        return Err("expected: FILE maximum|minimum|actual output|sweep".into());
    };
    let scaling = match scaling.as_str() {
        "maximum" => Scaling::Maximum,
        "minimum" => Scaling::Minimum,
        "actual" => Scaling::Actual,
        other => return Err(format!("{other}: expected maximum, minimum or actual").into()),
    };
    let document = pgm::read(file, &std::fs::read_to_string(file)?)?;
    let mut options = Options { phases: Phases::All, before: PrefaultState::Unloaded(scaling) };
    let text = if what == "sweep" {
        let swept = sweep(&document.network, &Kind::SHORT, Complex64::ZERO, &options)?;
        pgm::sweep_output(&document.network, &swept)
    } else {
        let (faults, phases) = document.short_circuits();
        options.phases = phases;
        let result = solve(&document.network, &faults, &options)?;
        let pgm::Document { network, elements, faults, .. } = &document;
        pgm::short_circuit_output(network, elements, faults, &result)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
