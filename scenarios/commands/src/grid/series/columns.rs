//! The table that loads follow.
//!
//! It is CSV: the first column gives the time of each row in any form, but where it can be read as
//! times they go on. Every other column is a power of a load, in watts or vars:
//!
//! | column | power |
//! |---|---|
//! | `NAME`, `NAME.p_w` | active power of the whole load |
//! | `NAME.q_var` | reactive power of the whole load |
//! | `NAME.p_w.a`, `NAME.q_var.a` | that of one part: `a`, `b`, `c`, or `ab`, `bc`, `ca` of a delta |
//!
//! A power of the whole is split over the parts as the network's file splits it. What has no column
//! stays as the file has it, but the reactive power of a load, or of a part, of which a column
//! gives the active power alone: that keeps its power factor.

use std::path::Path;

use lastmeter_grid::flow::Phases;
use lastmeter_grid::network::Load;
use lastmeter_grid::{Complex64, Network};
use lastmeter_table::{TableError, turns_back};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Active,
    Reactive,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    load: usize,
    kind: Kind,
    /// Of which part; none of the whole load.
    part: Option<usize>,
}

/// What a row is called, and its powers.
type Row = (String, Vec<f64>);

pub(super) struct Table {
    columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// Whether its last line has no end.
    pub(super) is_cut: bool,
}

#[derive(Clone, Copy, Default)]
struct LoadPowers {
    whole: [Option<f64>; 2],
    parts: [[Option<f64>; 3]; 2],
}

impl Table {
    /// Sets the powers of one row; what it does not give is as described.
    pub(super) fn set(&self, row: usize, described: &Network, changed: &mut Network) {
        let mut wanted: Vec<Option<LoadPowers>> = vec![None; described.loads.len()];
        for (column, &power) in self.columns.iter().zip(&self.rows[row].1) {
            // Generators deliver what they are given.
            let sign = if described.loads[column.load].generator { -1.0 } else { 1.0 };
            let wanted = wanted[column.load].get_or_insert_default();
            let kind = column.kind as usize;
            match column.part {
                None => wanted.whole[kind] = Some(sign * power),
                Some(part) => wanted.parts[kind][part] = Some(sign * power),
            }
        }
        for ((load, wanted), before) in changed.loads.iter_mut().zip(wanted).zip(&described.loads) {
            if let Some(wanted) = wanted {
                load.power_va = wanted.of(before);
            }
        }
    }
}

impl LoadPowers {
    /// The powers of a load's parts, which it has otherwise as described.
    fn of(&self, described: &Load) -> [Complex64; 3] {
        let written = &described.power_va;
        let mut powers = *written;
        let [active, reactive] = self.whole;
        if let Some(p) = active {
            let whole: Complex64 = written.iter().sum();
            // Where nothing is drawn there is no power factor to keep.
            let scale = if whole.re == 0.0 { 1.0 } else { p / whole.re };
            for (power, split) in powers.iter_mut().zip(described.split(p.into())) {
                *power = Complex64::new(split.re, power.im * scale);
            }
        }
        if let Some(q) = reactive {
            let whole = Complex64::new(0.0, q);
            for (power, split) in powers.iter_mut().zip(described.split(whole)) {
                power.im = split.im;
            }
        }
        let [active, reactive] = self.parts;
        for (at, power) in powers.iter_mut().enumerate() {
            if let Some(p) = active[at] {
                let scale = if written[at].re == 0.0 { 1.0 } else { p / written[at].re };
                power.re = p;
                if self.whole[Kind::Reactive as usize].is_none() {
                    power.im = written[at].im * scale;
                }
            }
            if let Some(q) = reactive[at] {
                power.im = q;
            }
        }
        powers
    }
}

/// Reads the table of a network that is solved for these phases.
///
/// # Errors
/// The first mistake, with its line.
pub(super) fn table(file: &Path, network: &Network, phases: Phases) -> Result<Table, String> {
    let shown = file.display();
    let text =
        std::fs::read(file).map_err(|error| format!("error: cannot read {shown}: {error}"))?;
    let is_cut = lastmeter_waveform::is_cut(&text);
    let read = rows(&String::from_utf8_lossy(&text), network, phases);
    let (columns, rows) = read.map_err(|why| format!("error: {}", why.in_file(shown)))?;
    Ok(Table { columns, rows, is_cut })
}

/// The columns of a text, and its rows.
fn rows(
    text: &str,
    network: &Network,
    phases: Phases,
) -> Result<(Vec<Column>, Vec<Row>), TableError> {
    let table = lastmeter_table::Table::read(text)?;
    let head: Vec<&str> = table.header.fields().collect();
    let columns =
        columns(&head, network, phases).map_err(|why| TableError::line(table.header.line, why))?;
    let mut rows: Vec<Row> = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let time = &row[0];
        if let Some((before, _)) = rows.last()
            && turns_back(head[0], before, time)
        {
            let what = format!("the time `{time}` is not later than `{before}` of the row before");
            return Err(TableError::field(row.line, 0, what));
        }
        let powers = (1..head.len()).map(|at| table.number(row, at, "of watts or vars"));
        rows.push((time.to_owned(), powers.collect::<Result<_, _>>()?));
    }
    if rows.is_empty() {
        return Err(TableError::whole("it has no rows"));
    }
    Ok((columns, rows))
}

/// What each column holds but the first, which has to be the time.
fn columns(head: &[&str], network: &Network, phases: Phases) -> Result<Vec<Column>, String> {
    if let Some(first) = head.first()
        && !first.eq_ignore_ascii_case("time")
        && column(first, network).is_ok()
    {
        return Err(format!(
            "the first column is the time of each row, but this one is called `{first}` as a load \
             of the network is; put a column `time` in front of it"
        ));
    }
    let mut columns: Vec<Column> = Vec::new();
    for title in head.iter().skip(1).copied() {
        let own = column(title, network)?;
        let load = &network.loads[own.load];
        if own.part.is_some() && phases == Phases::Balanced {
            return Err(format!(
                "`{title}` gives a part of load `{}`, but the network is solved by its positive \
                 sequence, to which only the whole counts; add --asym",
                load.name
            ));
        }
        let same = |it: &&Column| it.load == own.load && it.kind == own.kind;
        if columns.contains(&own) {
            return Err(format!("`{title}` has two columns"));
        }
        if columns.iter().filter(same).any(|it| it.part.is_some() != own.part.is_some()) {
            return Err(format!(
                "`{title}`: another column gives the same power of load `{}` as a whole or in \
                 parts; keep one of them",
                load.name
            ));
        }
        if own.part.is_none() {
            can_be_split(load, own.kind).map_err(|why| format!("`{title}`: {why}"))?;
        }
        columns.push(own);
    }
    if columns.is_empty() {
        return Err("it has no column of a load; expected `time,LOAD,...`".to_owned());
    }
    Ok(columns)
}

fn column(title: &str, network: &Network) -> Result<Column, String> {
    let find = |name: &str| network.loads.iter().position(|load| *load.name == *name);
    if let Some(load) = find(title) {
        return Ok(Column { load, kind: Kind::Active, part: None });
    }
    for (end, kind) in [(".p_w", Kind::Active), (".q_var", Kind::Reactive)] {
        if let Some(load) = title.strip_suffix(end).and_then(find) {
            return Ok(Column { load, kind, part: None });
        }
        let Some((before, part)) = title.rsplit_once('.') else { continue };
        let Some(load) = before.strip_suffix(end).and_then(find) else { continue };
        let own = &network.loads[load];
        let names: Vec<String> = (0..own.parts()).map(|part| own.part_name(part)).collect();
        let found = names.iter().position(|name| name == part);
        return found.map(|part| Column { load, kind, part: Some(part) }).ok_or_else(|| {
            format!(
                "`{title}`: load `{}` has no part `{part}`; its parts are {}",
                own.name,
                names.join(", ")
            )
        });
    }
    let known: Vec<&str> = network.loads.iter().take(8).map(|load| &*load.name).collect();
    let more = if network.loads.len() > known.len() { ", ..." } else { "" };
    let name = [".p_w", ".q_var"].iter().find_map(|end| title.strip_suffix(end)).unwrap_or(title);
    Err(format!("`{name}` is not a load of the network; its loads are {}{more}", known.join(", ")))
}

/// Whether the file's own powers show how a power of the whole is split: they do not where they add
/// up to nothing.
fn can_be_split(load: &Load, kind: Kind) -> Result<(), String> {
    let of = |power: &Complex64| if kind == Kind::Active { power.re } else { power.im };
    let powers = &load.power_va[..load.parts()];
    let (whole, sizes): (f64, f64) =
        powers.iter().map(of).fold((0.0, 0.0), |(whole, sizes), it| (whole + it, sizes + it.abs()));
    if whole.abs() > 1e-9 * sizes || sizes == 0.0 {
        return Ok(());
    }
    let parts: Vec<String> = (0..load.parts()).map(|part| load.part_name(part)).collect();
    Err(format!(
        "the powers of load `{}` add up to nothing over its parts in the network's file, so that a \
         whole cannot be split like them; give its parts `{}` columns of their own",
        load.name,
        parts.join("`, `")
    ))
}
