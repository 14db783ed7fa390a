//! Text tables that profiles name: lines of fields, which know where they stand.

use std::collections::BTreeMap;

use lastmeter_params::{Code, Diagnostic, Diagnostics, Values};

use crate::language::files::Files;

/// Networks stand in `run.json` as they were read.
const BYTES_MAX: usize = 16 << 20;

/// A line that is not blank.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) fields: Vec<&'a str>,
}

/// The text of the table that a row names, which the run folder keeps.
pub(super) fn table_text(
    values: &Values,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<String> {
    let (name, span) = (values.text("file"), values.span_of("file"));
    match text_of(name, files) {
        Ok(text) => {
            kept.insert(name.to_owned(), text.clone());
            if lastmeter_waveform::is_cut(text.as_bytes()) {
                doubt(values, lastmeter_waveform::CUT, None, out);
            }
            Some(text)
        }
        Err(why) => {
            let message = format!("`{name}` cannot be read: {why}");
            let (label, help) = ("expected a table of powers", files.near(name));
            out.report_with_help(Code::FILE_UNREADABLE, span, message, label, help);
            None
        }
    }
}

/// The text of a file of reasonable size.
pub(crate) fn text_of(name: &str, files: &Files<'_>) -> Result<String, String> {
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

/// The lines of a table, each with as many fields as the first.
pub(super) fn lines(text: &str) -> Result<Vec<Line<'_>>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(|it| it.trim().trim_matches('"')).collect();
        let number = at + 1;
        if lines.is_empty()
            && let Some(why) = other_separator(line)
        {
            return Err(why);
        }
        if let Some(first) = lines.first()
            && first.fields.len() != fields.len()
        {
            let (expected, found) = (first.fields.len(), fields.len());
            return Err(format!("line {number} has {found} fields, its header {expected}"));
        }
        lines.push(Line { number, fields });
    }
    if lines.is_empty() { Err("it is empty".to_owned()) } else { Ok(lines) }
}

/// What is wrong with a header that has one field by commas, but several by what spreadsheets of
/// many countries write instead.
pub(crate) fn other_separator(header: &str) -> Option<String> {
    let (name, found) = [("semicolons", ';'), ("tabs", '\t')]
        .into_iter()
        .find(|(_, separator)| !header.contains(',') && header.contains(*separator))?;
    let count = header.matches(found).count() + 1;
    Some(format!(
        "its header has {count} fields by {name}, and none by commas; fields are separated by \
         commas here, and decimals have a point"
    ))
}

/// Where a field stands, as messages tell it; columns count from 0 here and from 1 there.
pub(super) fn place(file: &str, line: usize, column: usize) -> String {
    format!("`{file}`, line {line}, column {}", column + 1)
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn blank_lines_are_left_out_and_numbers_of_lines_stay_those_of_the_file() {
        let text = "\u{feff}time,home 1,\"home 2\"\n00:00, 1 ,2.5\n\n00:01,-3,4e2\n";
        let found = lines(text).unwrap_or_default();
        let told: Vec<_> = found.iter().map(|line| (line.number, line.fields.clone())).collect();
        let expected = [
            (1, vec!["time", "home 1", "home 2"]),
            (2, vec!["00:00", "1", "2.5"]),
            (4, vec!["00:01", "-3", "4e2"]),
        ];
        assert_eq!(told, expected);
        let refused = |text: &str| lines(text).err().unwrap_or_default();
        assert_eq!(refused("a,b\n\n1\n"), "line 3 has 1 fields, its header 2");
        assert_eq!(refused("\n"), "it is empty");
        let told = refused("time;a;b\n0;1,5;2\n");
        assert!(told.starts_with("its header has 3 fields by semicolons, and none by"), "{told}");
        assert!(refused("time\ta\n0\t1\n").starts_with("its header has 2 fields by tabs"));
        assert_eq!(refused("time,a;b\n0,1\n"), "");
    }
}
