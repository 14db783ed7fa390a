//! `lastmeter grid`: power flow or short circuits of a network file, as a table, JSON or CSV, and
//! as a picture.
//!
//! Reads the file, hands the network to `lastmeter-grid`, prints. The JSON form is a promise to
//! users; the table is for eyes only.
//!
//! | file | purpose |
//! |---|---|
//! | `options` | the command line, from which one of these is chosen |
//! | `series` | step by step, as loads follow a table |
//! | `faults` | short circuits |
//! | `transient` | played from the steady state on: events, fuses, what is watched |
//! | `show`, `explain` | results for people and as rows; the page on network files |

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use lastmeter_bench::output::{Format, print_err, write_out};
use lastmeter_grid::flow::{self, Flow, Options, Phases};
use lastmeter_grid::format::pgm;
use lastmeter_grid::{Network, diagram};
use lastmeter_reports::ExitCode;

mod explain;
mod faults;
mod options;
mod series;
mod show;
#[cfg(test)]
mod tests;
mod transient;

pub(crate) use explain::explain;
pub use lastmeter_grid::diagram::Colouring;
pub use lastmeter_language::network_file::{Origin, Read, read};
pub use options::{GridOptions, ShortCircuits, Transients};

/// Why there is no answer, or not all of it.
#[derive(Debug)]
enum Stop {
    /// For the user.
    Refused(String),
    /// The answer cannot be written.
    Output(io::Error),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Refused(message)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Solves a network and returns the exit code.
pub fn grid(options: &GridOptions) -> ExitCode {
    let mut refused = None;
    write_out(|out| match try_grid(options, out) {
        Ok(()) => Ok(()),
        Err(Stop::Output(error)) => Err(error),
        Err(Stop::Refused(message)) => {
            refused = Some(message);
            Ok(())
        }
    });
    match refused {
        None => ExitCode::Passed,
        Some(message) => {
            print_err(&printable(&message));
            ExitCode::BadInput
        }
    }
}

fn try_grid(options: &GridOptions, out: &mut dyn Write) -> Result<(), Stop> {
    let shown = options.file.display();
    let begin = now();
    let mut read = read(&options.file)?;
    let read_ms = milliseconds(begin);
    let phases = phases(&read, options)?;
    if let Some(path) = &options.write {
        let written = pgm::write(&read.network)
            .map_err(|refusal| format!("error: {shown} cannot be written so:\n{refusal}"))?;
        write_file(path, &options.file, &written.json)?;
    }
    let choices = Options {
        phases,
        tolerance_pu: options.tolerance,
        regulate: !options.fixed_taps,
        ..Options::default()
    };
    let begin = now();
    if let Some(length) = options.transients.play {
        let answer = transient::answer(&mut read, options, length, &choices)?;
        out.write_all(answer.as_bytes())?;
    } else if options.sc {
        let answer = faults::answer(&read, options, &choices)?;
        out.write_all(answer.as_bytes())?;
    } else if let Some(table) = &options.series {
        series::answer(&mut read, options, table, &choices, out)?;
    } else {
        let flow =
            flow::solve(&read.network, &choices).map_err(|why| format!("error: {shown}: {why}"))?;
        let solve_ms = milliseconds(begin);
        if choices.regulate {
            read.notes.extend(at_their_ends(&read.network, &flow));
        }
        draw(options, &read.network, &flow)?;
        let answer = match options.format {
            Format::Table => show::table(&read, &flow, phases, &options.file),
            Format::Csv => show::csv(&read.network, &flow),
            Format::Json => one_json(&read, &flow, phases, Some(solve_ms)),
        };
        if options.format == Format::Csv {
            print_notes(&read);
        }
        print_times(options, read_ms, "solved", solve_ms);
        out.write_all(answer.as_bytes())?;
        return Ok(()); // notes and times are out already
    }
    print_notes(&read);
    print_times(options, read_ms, "solved and reported", milliseconds(begin));
    Ok(())
}

/// Prints the notes beside an answer that has no place for them.
fn print_notes(read: &Read) {
    for note in &read.notes {
        print_err(&printable(&format!("note: {note}")));
    }
}

fn print_times(options: &GridOptions, read_ms: f64, done: &str, took_ms: f64) {
    if options.timings {
        print_err(&format!("read and checked in {read_ms:.3} ms, {done} in {took_ms:.3} ms"));
    }
}

/// Draws the one-line diagram, if one is wanted.
fn draw(options: &GridOptions, network: &Network, flow: &Flow) -> Result<(), String> {
    let Some(path) = &options.svg else { return Ok(()) };
    write_file(path, &options.file, &diagram::svg(network, flow, options.color_by))
}

/// What a file brings along must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[expect(clippy::disallowed_methods, reason = "what a step takes is reported, and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Notes of regulators that have no more taps to bring the voltage into their band.
fn at_their_ends(network: &Network, flow: &Flow) -> Vec<String> {
    let describe = |end: flow::AtItsEnd| {
        let own = &network.regulators[end.regulator];
        let of = &network.transformers[own.transformer as usize].name;
        let which = if end.is_highest { "highest" } else { "lowest" };
        format!(
            "regulator {} is at the {which} tap {} of {of} and sees {:.2} V, outside of its band \
             of {} V +- {} V",
            own.name,
            end.position,
            end.voltage_v,
            own.set_point_v,
            0.5 * own.bandwidth_v
        )
    };
    flow::at_their_ends(network, flow).into_iter().map(describe).collect()
}

/// A file of power-grid-model is calculated by its positive sequence unless asked otherwise, as
/// that program does; others have wires of their own.
fn phases(read: &Read, options: &GridOptions) -> Result<Phases, String> {
    let Origin::Pgm(document) = &read.origin else { return Ok(Phases::All) };
    match (&document.symmetric_only, options.asym) {
        (_, false) => Ok(Phases::Balanced),
        (None, true) => Ok(Phases::All),
        (Some(why), true) => Err(format!(
            "error: {}:{}: {}, so it cannot be calculated phase by phase; leave out --asym",
            options.file.display(),
            why.place.0,
            why.what
        )),
    }
}

/// One document, in the output format of power-grid-model.
fn one_json(read: &Read, flow: &Flow, phases: Phases, solve_ms: Option<f64>) -> String {
    let extra = pgm::Extra { phases, solve_ms, notes: &read.notes };
    match &read.origin {
        Origin::Pgm(document) => {
            pgm::output_by_number(&read.network, &document.elements, flow, &extra)
        }
        Origin::Named => pgm::output(&read.network, flow, &extra),
    }
}

/// Writes a result and reports it, but never over the network it comes from.
fn write_file(path: &Path, network: &Path, text: &str) -> Result<(), String> {
    let same = path.canonicalize().ok().is_some_and(|own| Some(own) == network.canonicalize().ok());
    if same {
        return Err(format!(
            "error: the result would be written over the network {}; name another file",
            path.display()
        ));
    }
    std::fs::write(path, text)
        .map_err(|error| format!("error: cannot write {}: {error}", path.display()))?;
    print_err(&printable(&format!("wrote {}", path.display())));
    Ok(())
}
