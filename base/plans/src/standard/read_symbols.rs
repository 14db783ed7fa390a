//! Whether the currents a test plan names are defined.

use std::collections::{BTreeMap, BTreeSet};

use lastmeter_params::{Code, Diagnostics, Values};

use super::current::BASE;
use super::model::Symbol;
use super::ratings::DEPTH_MAX;
use super::read_test::known_symbols;
use super::read_values::taken;
use super::test_plan::TestPlan;

/// Reports symbols that nobody could write, that every test plan knows already, that stand there
/// twice for one class, that rest on unknown ones, or on themselves.
pub(crate) fn report_unsound_symbols(
    test_plan: &TestPlan,
    values: &[Values],
    out: &mut Diagnostics,
) {
    let mistakes = out.len();
    let mut known: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (symbol, values) in test_plan.symbols.iter().zip(values) {
        let (name, span) = (symbol.name.as_str(), values.span_of("name"));
        let is_word =
            name.starts_with(char::is_alphabetic) && name.chars().all(char::is_alphanumeric);
        if !is_word {
            let message = format!("`{name}` cannot be the name of a current");
            let label = "expected letters and digits, a letter first";
            out.report(Code::OUT_OF_RANGE, span, message, label);
        }
        if BASE.contains(&name) {
            let message = format!("`{name}` means the same in every test plan");
            let help = Some("leave it out, or take another name".to_owned());
            out.report_with_help(Code::NAME_TAKEN, span, message, "cannot be redefined", help);
        }
        let all = 0..test_plan.classes.len();
        let classes: BTreeSet<usize> = match symbol.classes.as_slice() {
            [] => all.collect(),
            some => some.iter().copied().collect(),
        };
        let before = known.entry(name).or_default();
        if before.intersection(&classes).next().is_some() {
            taken(values, "symbol", name, out);
        }
        before.extend(classes);
        known_symbols(&symbol.value, test_plan, values.span_of("value"), out);
    }
    if out.len() == mistakes {
        end_somewhere(test_plan, values, out);
    }
}

/// Every symbol leads to one that every test plan knows, through a handful of others.
fn end_somewhere(test_plan: &TestPlan, values: &[Values], out: &mut Diagnostics) {
    let mut known: BTreeSet<&str> = BASE.into_iter().collect();
    let mut open: Vec<usize> = (0..test_plan.symbols.len()).collect();
    for _ in 0..DEPTH_MAX {
        let is_open = |place: &usize| {
            let mut symbols = test_plan.symbols[*place].value.symbols();
            symbols.any(|symbol| !known.contains(symbol))
        };
        let (still, done): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_open);
        // A name that stands there for several classes is known once all its rows are.
        let waiting: BTreeSet<&str> = still.iter().map(|place| name(test_plan, *place)).collect();
        known.extend(
            done.iter().map(|place| name(test_plan, *place)).filter(|n| !waiting.contains(n)),
        );
        open = still;
    }
    let rows: BTreeMap<&str, &Symbol> =
        open.iter().map(|place| (name(test_plan, *place), &test_plan.symbols[*place])).collect();
    for place in open {
        let path = path_from(name(test_plan, place), &rows);
        let message = format!("the current `{}` never ends: {path}", name(test_plan, place));
        let label = format!("expected Ib, In, Iref or Imax after at most {DEPTH_MAX} symbols");
        out.report(Code::DOES_NOT_FIT, values[place].span_of("value"), message, label);
    }
}

fn name(test_plan: &TestPlan, place: usize) -> &str {
    &test_plan.symbols[place].name
}

/// `A is B, B is A`: as far as it takes to see it.
fn path_from(start: &str, open: &BTreeMap<&str, &Symbol>) -> String {
    let mut steps = Vec::new();
    let mut at = start;
    for _ in 0..=DEPTH_MAX {
        let Some(next) = open
            .get(at)
            .and_then(|row| row.value.symbols().find(|symbol| open.contains_key(symbol)))
        else {
            break;
        };
        steps.push(format!("`{at}` is made of `{next}`"));
        if next == start {
            break;
        }
        at = next;
    }
    steps.join(", ")
}
