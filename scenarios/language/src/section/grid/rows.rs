//! Files that a network and its profiles name.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostic, Diagnostics, Span, Values};

use crate::files::Files;

/// Networks stand in `run.json` as they were read.
const BYTES_MAX: usize = 16 << 20;

/// The text of the table that a row names, which the run folder keeps.
pub(super) fn table_text(
    values: &Values,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<String> {
    let file = (values.text("file"), values.span_of("file"));
    let text = kept_text(file, "expected a table of powers", files, kept, out)?;
    if lastmeter_waveform::is_cut(text.as_bytes()) {
        doubt(values, lastmeter_waveform::CUT, None, out);
    }
    Some(text)
}

/// The text of a file that a key names, which the run folder keeps.
pub(crate) fn kept_text(
    (name, span): (&str, Span),
    expected: &str,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<String> {
    match text_of(name, files) {
        Ok(text) => {
            kept.insert(name.to_owned(), text.clone());
            Some(text)
        }
        Err(why) => {
            let message = format!("`{name}` cannot be read: {why}");
            let (code, help) = (Code::FILE_UNREADABLE, files.near(name));
            out.report_with_help(code, span, message, expected, help);
            None
        }
    }
}

/// The text of a file of reasonable size.
pub(super) fn text_of(name: &str, files: &Files<'_>) -> Result<String, String> {
    let bytes = files.read(name)?;
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bytes.len() > BYTES_MAX {
        let (size, most) = (bytes.len() >> 20, BYTES_MAX >> 20);
        return Err(format!("it has {size} MiB, expected at most {most} MiB"));
    }
    // Older scripts have comments in other encodings; what matters in them is ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Warns that the file is hardly what was meant.
pub(super) fn doubt(values: &Values, what: &str, help: Option<String>, out: &mut Diagnostics) {
    out.warn(Diagnostic {
        code: Code::DOUBTFUL_FILE,
        message: format!("`{}`: {what}", values.text("file")),
        span: values.span_of("file"),
        label: "is played as it is".to_owned(),
        help,
    });
}

/// Reactive over active power.
pub(super) fn tangent(power_factor: f64) -> f64 {
    (1.0 / (power_factor * power_factor) - 1.0).max(0.0).sqrt()
}
