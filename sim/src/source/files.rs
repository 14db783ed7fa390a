//! What the sources that read files have in common: opening them and choosing channels.

use lastmeter_params::{Code, Diagnostic, Diagnostics, Dimension, Field, Kind, Values};
use lastmeter_waveform::{Channel, ChannelKind, Recording};

use super::SourceContext;

pub(super) const FILE: Field = Field::required(
    "file",
    Kind::Text,
    "The file, relative to the scenario, or `recordings:NAME` in the folder of recordings",
);

pub(super) const VOLTAGE: Field = Field::optional(
    "voltage",
    Kind::List(&Kind::Text),
    "The voltage channels, one or three: the exact name or a part that only one channel has; left \
     out, the channels of the phases a, b, c",
);

pub(super) const CURRENT: Field = Field::optional(
    "current",
    Kind::List(&Kind::Text),
    "The current channels, in the order of the voltages; written as `voltage`",
);

const SCALE: Kind = Kind::Quantity { dimension: Dimension::Ratio, min: -1e6, max: 1e6 };

pub(super) const VOLTAGE_SCALE: Field =
    Field::default("voltage_scale", SCALE, "1", "Factor by which the voltages are multiplied");

pub(super) const CURRENT_SCALE: Field = Field::default(
    "current_scale",
    SCALE,
    "1",
    "Factor by which the currents are multiplied; -1 turns the direction of energy round",
);

/// Reads a file; `file` is the name as written in the scenario, or derived from it.
pub(super) fn read_file(
    values: &Values,
    file: &str,
    context: &SourceContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<u8>> {
    match (context.read_file)(file) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            let message = format!("`{file}` cannot be read: {why}");
            let span = values.span_of("file");
            diagnostics.report(Code::FILE_UNREADABLE, span, message, "this file");
            None
        }
    }
}

/// Notes that the file's content is not what it should be.
pub(super) fn refuse_content(
    values: &Values,
    file: &str,
    error: &dyn std::error::Error,
    diagnostics: &mut Diagnostics,
) {
    let message = format!("`{file}` is refused: {}", with_causes(error));
    diagnostics.report(Code::FILE_REFUSED, values.span_of("file"), message, "this file");
}

/// Warns that the file's content is hardly what was meant.
pub(super) fn doubt_content(
    values: &Values,
    file: &str,
    what: &str,
    diagnostics: &mut Diagnostics,
) {
    diagnostics.warn(Diagnostic {
        code: Code::DOUBTFUL_FILE,
        message: format!("`{file}`: {what}"),
        span: values.span_of("file"),
        label: "is played as it is".to_owned(),
        help: None,
    });
}

/// The channels of the voltages and of the currents, as many of one as of the other.
pub(super) fn choose<'a>(
    recording: &'a Recording,
    values: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<&'a Channel>, Vec<&'a Channel>)> {
    let mut of_kind = |key: &str, kind: ChannelKind| {
        let selectors = values.text_list(key);
        let chosen = if values.get(key).is_some() {
            recording.select(kind, &selectors)
        } else {
            recording.phases(kind)
        };
        let at = if values.get(key).is_some() { key } else { "file" };
        match chosen {
            Ok(channels) => Some(channels),
            Err(error) => {
                let label = format!("no choice of {} channels", kind.word());
                diagnostics.report_with_help(
                    Code::DOES_NOT_FIT,
                    values.span_of(at),
                    error.to_string(),
                    label,
                    Some(format!("name one or three channels: `{key} = [\"...\"]`")),
                );
                None
            }
        }
    };
    let voltages = of_kind("voltage", ChannelKind::Voltage);
    let currents = of_kind("current", ChannelKind::Current);
    let (voltages, currents) = (voltages?, currents?);
    if voltages.len() != currents.len() || !matches!(voltages.len(), 1 | 3) {
        let at = ["current", "voltage"].into_iter().find(|key| values.get(key).is_some());
        diagnostics.report_with_help(
            Code::DOES_NOT_FIT,
            values.span_of(at.unwrap_or("file")),
            format!(
                "{} voltage and {} current channels do not make one phase or three",
                voltages.len(),
                currents.len()
            ),
            "expected one of each or three of each",
            Some("name them: `voltage = [...]`, `current = [...]`".to_owned()),
        );
        return None;
    }
    Some((voltages, currents))
}

/// An error's text with those of its causes, which do not repeat each other.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
