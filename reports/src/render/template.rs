//! Fills in pages, which share one style sheet.

use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;

pub(crate) const STYLE: &str = include_str!("style.css");

/// Fills in a page. Names ending in `.html` are escaped by the template engine.
pub(crate) fn fill(
    name: &'static str,
    template: &'static str,
    content: &impl Serialize,
) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template(name, template)?;
    environment.get_template(name)?.render(Serde(content))
}
