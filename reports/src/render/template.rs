//! Fills in pages, which share one style sheet.

use lastmeter_chart::tokens_css;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;

/// The style sheet of a page: the tokens, what charts and other pages have too, and its own.
pub(crate) fn style() -> String {
    tokens_css() + lastmeter_chart::STYLE + include_str!("style.css")
}

/// Fills in a page, or a part of one, which may include `pictures.html`. Names ending in `.html`
/// are escaped by the template engine.
pub(crate) fn fill(
    name: &'static str,
    template: &'static str,
    content: &impl Serialize,
) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("pictures.html", include_str!("pictures.html"))?;
    environment.add_template(name, template)?;
    environment.get_template(name)?.render(Serde(content))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use lastmeter_chart::TOKENS;

    use super::*;

    /// The files below a folder whose names end like this.
    fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, ending, found);
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push(path);
            }
        }
    }

    #[test]
    fn templates_have_no_style_of_their_own() {
        let mut found = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "html", &mut found);
        assert!(found.len() >= 10, "{found:?}");
        for path in found {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("style="), "{}", path.display());
        }
    }

    /// Every colour is a token, and every property that is used is declared.
    #[test]
    fn colours_of_the_sheet_are_tokens() {
        let sheet = style();
        for (at, _) in sheet.match_indices("var(--") {
            let rest = &sheet[at + "var(--".len()..];
            let name = rest.split([')', ',']).next().unwrap();
            let is_own = ["tone", "series", "shadow"].contains(&name);
            assert!(is_own || TOKENS.iter().any(|token| token.name == name), "{name}");
        }
        let own = lastmeter_chart::STYLE.to_owned() + include_str!("style.css");
        for literal in ["#", "rgb(", "hsl("] {
            assert!(!own.contains(literal), "{literal}");
        }
    }
}
