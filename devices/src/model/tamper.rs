//! The sensors of tampering of a meter, out of its fields.

use lastmeter_params::{Code, Diagnostics, Values};

use crate::border::{TamperFacts, TamperKind};
use crate::outlet::Outlet;
use crate::tamper::Tamper;

pub(super) fn check(values: &Values, outlet: &dyn Outlet, diagnostics: &mut Diagnostics) {
    let mut refuse = |field: &str, message: String, label: &str| {
        diagnostics.report(Code::DOES_NOT_FIT, values.span_of(field), message, label);
    };
    let kinds = values.text_list("tamper");
    let is_set = |field: &str| values.is_written(field) && !values.is_default(field);
    if kinds.is_empty() {
        for field in ["tamper_debounce", "tamper_battery"].into_iter().filter(|it| is_set(it)) {
            let message = format!("`{field}` has no effect without `tamper`");
            refuse(field, message, "expected `tamper` with it");
        }
        return;
    }
    if !outlet.sends_alerts() {
        let message = "a meter on a field network sends no alerts".to_owned();
        refuse("tamper", message, "expected a meter that reports to the platform itself");
    }
    if let Some(twice) = kinds.iter().enumerate().find(|(n, it)| kinds[..*n].contains(it)) {
        refuse("tamper", format!("`{}` is there twice", twice.1), "expected once");
    }
    if is_set("tamper_battery") && values.duration_opt("hold_up").is_none() {
        let message = "`tamper_battery` has no effect without `hold_up`".to_owned();
        refuse("tamper_battery", message, "expected `hold_up` with it");
    }
}

pub(super) fn sensors(values: &Values) -> Option<Tamper> {
    let words = values.text_list("tamper");
    let kinds: Vec<_> = words.into_iter().filter_map(TamperKind::from_word).collect();
    (!kinds.is_empty()).then(|| {
        Tamper::new(TamperFacts {
            kinds,
            debounce: values.duration("tamper_debounce"),
            has_battery: values.boolean("tamper_battery"),
        })
    })
}
