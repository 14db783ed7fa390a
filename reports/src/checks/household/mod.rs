//! What the aggregator of a household has decided and billed: two checks, and the part of the
//! report about it. Nothing here is shared with what decides and bills.

mod bill;
mod decisions;
mod section;

use lastmeter_params::{Code, Diagnostics, Pattern, Values};

pub(super) use bill::KIND as BILL;
pub(super) use decisions::KIND as DECISIONS;

/// Reports a name, or pattern, that is none of the scenario's: what is about it never comes.
fn named_in(values: &Values, key: &str, names: &[String], out: &mut Diagnostics) {
    let text = values.text(key);
    let pattern = Pattern::new(text);
    if text != "*" && !names.iter().any(|name| pattern.matches(name)) {
        let message = format!("`{key}` is `{text}`, which the scenario does not have");
        let label = format!("expected one of {}", names.join(", "));
        out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
    }
}
