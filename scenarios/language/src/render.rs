//! Mistakes as people and programs read them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use lastmeter_params::{Diagnostic, SourceId};
use serde_json::{Value, json};

use super::texts::Texts;

/// Longer lines are cut around the mark, so that a file in one line stays readable.
const LINE_BYTES_MAX: usize = 400;

/// In the look of rustc: code and message, file and place, the marked line, help.
pub(crate) fn human(diagnostics: &[Diagnostic], texts: &Texts, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        let place = texts.place(diagnostic.span);
        let (line, marked) = cut(place.line_text, place.marked.clone());
        let label = printable(&diagnostic.label);
        let snippet = Snippet::source(line)
            .path(place.origin)
            .line_start(place.line)
            .annotation(AnnotationKind::Primary.span(marked).label(label.as_str()));
        let code = diagnostic.code.code();
        let level = if diagnostic.code.is_warning() { Level::WARNING } else { Level::ERROR };
        let mut group =
            level.primary_title(printable(&diagnostic.message)).id(code).element(snippet);
        if diagnostic.span.source != SourceId::FILE {
            // One option may be about many files.
            let scenario = format!("for the scenario {}", texts.origin());
            group = group.element(Level::NOTE.message(printable(&scenario)));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let hint = format!("run lastmeter explain {code}");
        group = group.element(Level::HELP.with_name("hint").message(hint));
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}

/// One object for each mistake.
pub(crate) fn json(diagnostics: &[Diagnostic], texts: &Texts) -> Vec<Value> {
    let object = |diagnostic: &Diagnostic| {
        let place = texts.place(diagnostic.span);
        json!({
            "code": diagnostic.code.code(),
            "severity": if diagnostic.code.is_warning() { "warning" } else { "error" },
            "scenario": texts.origin(),
            "message": diagnostic.message,
            "file": place.origin,
            "line": place.line,
            "column": place.column,
            "end_line": place.end_line,
            "end_column": place.end_column,
            "label": diagnostic.label,
            "help": diagnostic.help,
        })
    };
    diagnostics.iter().map(object).collect()
}

/// What a scenario brings along must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The part of a line around the mark, and the mark within it.
fn cut(line: &str, marked: std::ops::Range<usize>) -> (&str, std::ops::Range<usize>) {
    if line.len() <= LINE_BYTES_MAX {
        return (line, marked);
    }
    let from = line.floor_char_boundary(marked.start.saturating_sub(LINE_BYTES_MAX / 4));
    let to = line.floor_char_boundary((from + LINE_BYTES_MAX).min(line.len()));
    let end = line.floor_char_boundary(marked.end.min(to)).max(marked.start);
    (&line[from..to.max(end)], marked.start - from..end - from)
}
