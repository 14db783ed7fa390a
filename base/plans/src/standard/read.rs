//! Reads a test-plan file: every mistake at its place, nothing ignored.

use std::collections::BTreeSet;

use lastmeter_params::{
    Code, Diagnostic, Diagnostics, Node, NodeValue, SourceId, Span, Table, Values, nearest,
    parse_document, read_table,
};

use super::fields::{FORMAT, HEAD, ROWS};
use super::model::{Component, Connection, MissingClause, Modulation, Shape, Symbol, Waveform};
use super::read_published::{read_published, read_surface, read_sweep};
use super::read_symbols;
use super::read_test::{read_test, report_missing_limits};
use super::read_values::{classes_of, expression, taken, unknown_class};
use super::test_plan::TestPlan;

/// The waveform every test plan has.
pub(crate) const SINE: &str = "sine";

/// Test plans are tables, and are written by hand or by a script; a larger file is none.
pub const TEST_PLAN_BYTES_MAX: usize = 16 << 20;

pub(crate) const FILE_START: Span = Span { source: SourceId::FILE, start: 0, end: 0 };

impl TestPlan {
    /// Reads the text of a test-plan file; on failure all its mistakes come back.
    pub fn read(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut out = Diagnostics::new();
        if text.len() > TEST_PLAN_BYTES_MAX {
            let message = format!(
                "the test plan is {} bytes long; at most {TEST_PLAN_BYTES_MAX} are read",
                text.len()
            );
            out.report(Code::FILE_REFUSED, FILE_START, message, "expected a smaller file");
            return Err(out.into_sorted());
        }
        let root = parse_document(text, SourceId::FILE, &mut out);
        check_root(&root, &mut out);
        let test_plan = read_test_plan(&root, text, &mut out);
        match test_plan {
            Some(test_plan) if out.is_empty() => Ok(test_plan),
            _ => Err(out.into_sorted()),
        }
    }

    /// Whether these tables are meant as a test-plan file, so that its mistakes are reported as
    /// one's.
    pub fn is_meant(root: &Table) -> bool {
        let has = |key: &str| root.get(key).is_some();
        !has("scenario") && has("test_plan") && (has("test") || has("sweep"))
    }
}

fn check_root(root: &Table, out: &mut Diagnostics) {
    let known = || ["format", "test_plan"].into_iter().chain(ROWS.iter().map(|(name, _)| *name));
    for entry in &root.entries {
        if !known().any(|name| name == entry.key) {
            let help = nearest(&entry.key, known()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("unknown section or key `{}`", entry.key);
            let label = "not part of a test plan";
            out.report_with_help(Code::UNKNOWN_KEY, entry.key_span, message, label, help);
        }
    }
    match root.get("format").map(|node| (&node.value, node.span)) {
        Some((NodeValue::Integer(FORMAT) | NodeValue::Invalid, _)) => {}
        Some((_, span)) => {
            let message = "this version of lastmeter reads another test plan format";
            out.report(Code::FORMAT_VERSION, span, message, format!("expected {FORMAT}"));
        }
        None => out.report_with_help(
            Code::MISSING_KEY,
            FILE_START,
            "key `format` is missing",
            "a test plan begins with its format version",
            Some(format!("write `format = {FORMAT}` on the first line")),
        ),
    }
}

/// The tables of a section that repeats, as far as they are read.
fn rows(root: &Table, name: &str, out: &mut Diagnostics) -> Vec<Values> {
    let fields = ROWS.iter().find(|(row, _)| *row == name).map_or(&[][..], |(_, fields)| fields);
    let list: &[Node] = match root.get(name).map(|node| (&node.value, node.span)) {
        None | Some((NodeValue::Invalid, _)) => &[],
        Some((NodeValue::Array(list), _)) => list,
        Some((_, span)) => {
            let message = format!("`{name}` is a section whose tables repeat");
            out.report(Code::WRONG_KIND, span, message, format!("expected `[[{name}]]`"));
            &[]
        }
    };
    let mut read = |node: &Node| {
        let NodeValue::Table(table) = &node.value else {
            let message = format!("`{name}` takes tables");
            out.report(Code::WRONG_KIND, node.span, message, format!("expected `[[{name}]]`"));
            return None;
        };
        read_table(table, node.span, fields, out)
    };
    list.iter().filter_map(&mut read).collect()
}

fn read_test_plan(root: &Table, text: &str, out: &mut Diagnostics) -> Option<TestPlan> {
    let head = root.get("test_plan").map(|node| (&node.value, node.span));
    let head = if let Some((NodeValue::Table(table), span)) = head {
        read_table(table, span, HEAD, out)
    } else {
        let message = "table `[test_plan]` is missing";
        out.report(Code::MISSING_KEY, FILE_START, message, "in this file");
        None
    };
    // Every table is read before a missing head ends it, so that all mistakes are reported.
    let symbols = rows(root, "symbol", out);
    let waveforms = rows(root, "waveform", out);
    let tests = rows(root, "test", out);
    let not_simulated = rows(root, "not_simulated", out);
    let sweeps = rows(root, "sweep", out);
    let published = rows(root, "published", out);
    let surfaces = rows(root, "surface", out);
    let head = head?;
    let mut test_plan = head_of(&head, text, out)?;
    for values in &symbols {
        test_plan.symbols.push(symbol(values, &test_plan.classes, out));
    }
    read_symbols::report_unsound_symbols(&test_plan, &symbols, out);
    let mut names = BTreeSet::from([SINE]);
    for values in &waveforms {
        let name = values.text("name");
        if !names.insert(name) {
            taken(values, "waveform", name, out);
        }
        test_plan.waveforms.push(waveform(values));
    }
    let mut names = BTreeSet::new();
    for values in &tests {
        if !names.insert(values.text("name")) {
            taken(values, "test", values.text("name"), out);
        }
        if let Some(test) = read_test(values, &test_plan, out) {
            test_plan.tests.push(test);
        }
    }
    test_plan.missing_clauses =
        missing_clauses(&head, &not_simulated, names, &test_plan.classes, out);
    for values in &sweeps {
        let sweep = read_sweep(values, &test_plan, out);
        test_plan.sweeps.extend(sweep);
    }
    for values in &published {
        let row = read_published(values, out);
        test_plan.published.extend(row);
    }
    for values in &surfaces {
        let surface = read_surface(values, &test_plan, out);
        test_plan.surfaces.extend(surface);
    }
    let has = |key: &str| root.get(key).is_some();
    let is_published = has("sweep") && has("published");
    if !has("test") && !is_published && !root.incomplete {
        let message = "the test plan has no tests, so it judges nothing";
        out.report(Code::NO_CHECKS, FILE_START, message, "expected `[[test]]`");
    }
    if out.is_empty() {
        report_missing_limits(&test_plan, &tests, out);
    }
    Some(test_plan)
}

fn head_of(head: &Values, text: &str, out: &mut Diagnostics) -> Option<TestPlan> {
    let classes: Vec<String> = head.text_list("classes").into_iter().map(str::to_owned).collect();
    let default = head.text("default_class");
    let Some(default_class) = classes.iter().position(|class| class == default) else {
        unknown_class(head.span_of("default_class"), default, &classes, out);
        return None;
    };
    let connections: Vec<Connection> =
        head.text_list("connections").into_iter().filter_map(Connection::from_word).collect();
    if connections.is_empty() {
        let label = "expected at least one";
        let message = "a test plan without connections tests no meter";
        out.report(Code::OUT_OF_RANGE, head.span_of("connections"), message, label);
        return None;
    }
    // Waveform 0 is the sine, which tests without a waveform play.
    let pair = |nominal: &str, maximum: &str| (head.si(nominal), head.si(maximum));
    Some(TestPlan {
        name: head.text("name").to_owned(),
        title: head.text("title").to_owned(),
        edition: head.text("edition").to_owned(),
        notes: head.text("notes").to_owned(),
        classes,
        default_class,
        connections,
        nominal_voltage: head.si("nominal_voltage"),
        currents: [
            pair("base_current", "maximum_current"),
            pair("transformer_current", "transformer_maximum"),
        ],
        frequency: head.si("frequency"),
        temperature: head.integer("temperature") as f64,
        symbols: Vec::new(),
        waveforms: vec![Waveform {
            name: SINE.to_owned(),
            title: "sinusoidal".to_owned(),
            voltage: Vec::new(),
            current: Vec::new(),
            shape: Shape::Sine,
            modulation: None,
        }],
        tests: Vec::new(),
        missing_clauses: Vec::new(),
        sweeps: Vec::new(),
        published: Vec::new(),
        surfaces: Vec::new(),
        text: text.to_owned(),
    })
}

fn symbol(values: &Values, classes: &[String], out: &mut Diagnostics) -> Symbol {
    let value = expression(values.text("value"), values.span_of("value"), out);
    Symbol {
        name: values.text("name").to_owned(),
        classes: classes_of(values, classes, out),
        // It is named, so that what uses it is no mistake as well.
        value: value.unwrap_or_default(),
    }
}

fn waveform(values: &Values) -> Waveform {
    let components = |name: &str| {
        let component = |row: &Values| Component {
            order: row.si("order"),
            share: row.si("share"),
            angle_rad: row.si("angle"),
        };
        values.tables(name).into_iter().map(component).collect()
    };
    Waveform {
        name: values.text("name").to_owned(),
        title: values.text("title").to_owned(),
        voltage: components("voltage"),
        current: components("current"),
        shape: match values.text("shape") {
            "half-wave" => Shape::HalfWave,
            "phase-fired" => Shape::PhaseFired(values.si("firing_angle")),
            "burst" => {
                Shape::Burst { on: values.integer("on") as u32, off: values.integer("off") as u32 }
            }
            _ => Shape::Sine,
        },
        modulation: values.table_opt("modulation").map(|table| Modulation {
            changes_per_minute: table.si("changes_per_minute"),
            depth: table.si("depth"),
        }),
    }
}

/// Those of `missing_clauses`, and those of earlier versions' `[[not_simulated]]`; `names` are
/// taken.
fn missing_clauses<'a>(
    head: &'a Values,
    not_simulated: &'a [Values],
    mut names: BTreeSet<&'a str>,
    classes: &[String],
    out: &mut Diagnostics,
) -> Vec<MissingClause> {
    let current = head.tables("missing_clauses");
    for values in current.iter().copied().chain(not_simulated) {
        if !names.insert(values.text("name")) {
            taken(values, "test or missing clause", values.text("name"), out);
        }
    }
    let current = current.into_iter().map(|values| missing_clause(values, classes, out));
    current.chain(not_simulated.iter().map(not_simulated_of)).collect()
}

fn missing_clause(values: &Values, classes: &[String], out: &mut Diagnostics) -> MissingClause {
    let connections = values.text_list("connections").into_iter();
    MissingClause {
        elsewhere: values.text_opt("elsewhere").map(str::to_owned),
        confirmed: values.boolean("confirmed"),
        connections: connections.filter_map(Connection::from_word).collect(),
        classes: classes_of(values, classes, out),
        three_phases: values.boolean("three_phases"),
        ..not_simulated_of(values)
    }
}

fn not_simulated_of(values: &Values) -> MissingClause {
    let text = |name: &str| values.text(name).to_owned();
    MissingClause {
        clause: text("clause"),
        name: text("name"),
        title: text("title"),
        reason: text("reason"),
        ..MissingClause::default()
    }
}
