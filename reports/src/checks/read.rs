//! Reads the `[[check]]` tables of a scenario as resolved, and makes the checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastmeter_params::{
    Code, Diagnostics, Node, NodeValue, SourceId, Table, nearest, parse_document, read_table_of,
};
use lastmeter_plans::{calibration, standard};

use super::CHECKS;
use crate::check::kind::{CHECK_FIELDS, CheckContext, ScenarioCheck, ScenarioChecks};
use crate::error::EvaluateError;

impl ScenarioChecks {
    /// The checks of a scenario, with the texts of the files that they name, by the names as
    /// written.
    pub(crate) fn read(
        scenario: &str,
        scenario_toml: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, EvaluateError> {
        let mut diagnostics = Diagnostics::new();
        let document = parse_document(scenario_toml, SourceId::FILE, &mut diagnostics);
        let about = CheckContext {
            scenario: scenario.to_owned(),
            files: files.clone(),
            plan: standard::plan_of(&document, files, &mut diagnostics).map(Arc::new),
            calibration: calibration::plan_of(&document, &mut diagnostics).map(Arc::new),
            ..CheckContext::default()
        };
        let checks = check_tables(&document).iter();
        let checks = checks.filter_map(|node| read_check(node, &about, &mut diagnostics)).collect();
        if !diagnostics.is_empty() {
            return Err(EvaluateError::Scenario(diagnostics.into_sorted()));
        }
        let CheckContext { plan, calibration, .. } = about;
        Ok(Self { document, plan, calibration, checks })
    }
}

fn check_tables(document: &Table) -> &[Node] {
    match document.get("check").map(|node| &node.value) {
        Some(NodeValue::Array(list)) => list,
        _ => &[],
    }
}

/// Reads the keys of one table, those all have and those of its kind, and makes its check.
fn read_check(
    node: &Node,
    about: &CheckContext,
    diagnostics: &mut Diagnostics,
) -> Option<ScenarioCheck> {
    let NodeValue::Table(table) = &node.value else {
        diagnostics.report(
            Code::WRONG_KIND,
            node.span,
            "a check is not a table",
            "expected [[check]]",
        );
        return None;
    };
    let name = table.text("kind").unwrap_or_default();
    let names = || CHECKS.iter().map(|kind| kind.entry.name);
    let Some(kind) = CHECKS.iter().find(|kind| kind.is_called(name)) else {
        let span = table.get("kind").map_or(node.span, |kind| kind.span);
        let help = nearest(name, names()).map(|near| format!("did you mean `{near}`?"));
        diagnostics.report_with_help(
            Code::UNKNOWN_THING,
            span,
            format!("unknown check kind `{name}`"),
            format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            help,
        );
        return None;
    };
    let values = read_table_of(table, node.span, &[CHECK_FIELDS, kind.entry.fields], diagnostics)?;
    let context = about.of(&values);
    let check = (kind.build)(&values, context.clone(), diagnostics)?;
    Some(ScenarioCheck { kind, context, check })
}
