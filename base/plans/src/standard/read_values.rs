//! What rows of a test plan's file have in common when they are read.

use lastmeter_params::{Code, Diagnostics, Span, Value, Values};

use super::current::Expression;

pub(crate) fn taken(values: &Values, what: &str, name: &str, out: &mut Diagnostics) {
    let message = format!("there is already a {what} named `{name}`");
    out.report(Code::NAME_TAKEN, values.span_of("name"), message, "used twice");
}

pub(crate) fn unknown_class(span: Span, class: &str, classes: &[String], out: &mut Diagnostics) {
    let message = format!("there is no class `{class}`");
    let label = format!("expected one of {}", classes.join(", "));
    out.report(Code::UNKNOWN_REFERENCE, span, message, label);
}

/// The indices of the classes a list names.
pub(crate) fn classes_of(values: &Values, classes: &[String], out: &mut Diagnostics) -> Vec<usize> {
    let mut found = Vec::new();
    for (value, span) in values.list("classes") {
        let Value::Text(name) = value else { continue };
        match classes.iter().position(|class| class == name) {
            Some(class) => found.push(class),
            None => unknown_class(*span, name, classes, out),
        }
    }
    found
}

pub(crate) fn expression(text: &str, span: Span, out: &mut Diagnostics) -> Option<Expression> {
    match Expression::read(text) {
        Ok(expression) => Some(expression),
        Err(message) => {
            out.report(Code::BAD_NUMBER, span, message, "expected such as `0.05 Ib | 0.02 In`");
            None
        }
    }
}
