//! The findings as lines for people.

use anstyle::{AnsiColor, Style};

use super::Examination;
use super::finding::{Finding, Section, Status};

/// Where what was found begins.
const NAME_WIDTH: usize = 23;
const INDENT: usize = 9;

/// All lines, without line ends.
pub(super) fn lines(examination: &Examination, color: bool) -> Vec<String> {
    let Examination { lastmeter, machine, findings, classes, quick, .. } = examination;
    let kind = if *quick { "doctor --quick" } else { "doctor" };
    let mut lines = vec![format!("lastmeter {lastmeter}  {kind}  {machine}")];
    let mut ordered: Vec<&Finding> = findings.iter().collect();
    ordered.sort_by_key(|finding| finding.section);
    let mut section = None;
    for finding in ordered {
        if section.replace(finding.section) != Some(finding.section) {
            lines.push(title(finding.section).to_owned());
        }
        let name = finding.name.replace('_', " ");
        push(&mut lines, finding.status, &name, &finding.found, finding.advice.as_deref(), color);
    }
    lines.push("transfer-time classes (IEC 61850-5) that can be judged here".to_owned());
    for (place, class) in classes.iter().enumerate() {
        // What holds for several classes is printed once, behind the last of them.
        let next = classes.get(place + 1).and_then(|next| next.advice.as_deref());
        let advice = class.advice.as_deref().filter(|advice| next != Some(*advice));
        push(&mut lines, class.status, &class.class, &class.found, advice, color);
    }
    lines.push(summary(examination));
    lines
}

fn title(section: Section) -> &'static str {
    match section {
        Section::Rights => "rights",
        Section::Processors => "processors",
        Section::Time => "clocks and timers",
        Section::Disk => "disk",
        Section::Broker => "floor: echoes of 1.3 kB every 2 ms through the embedded platform",
        Section::Equipment => "equipment",
    }
}

fn push(
    lines: &mut Vec<String>,
    status: Status,
    name: &str,
    found: &str,
    advice: Option<&str>,
    color: bool,
) {
    let word = format!("{:>7}", status.word());
    let word = if color { paint(status, &word) } else { word };
    lines.push(format!("{word}  {name:NAME_WIDTH$}{found}"));
    if let Some(advice) = advice {
        lines.push(format!("{:width$}{advice}", "", width = INDENT + NAME_WIDTH));
    }
}

fn paint(status: Status, word: &str) -> String {
    let color = match status {
        Status::Ok => AnsiColor::Green,
        Status::Limited => AnsiColor::Yellow,
        Status::No => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{word}{style:#}")
}

/// The strictest class that can be judged, over each transport.
fn summary(examination: &Examination) -> String {
    let strictest = |transport: &str| {
        let class = examination
            .classes
            .iter()
            .find(|class| class.transports.iter().any(|able| able == transport));
        class.map_or("none", |class| &class.class)
    };
    let classes: Vec<String> = examination
        .floors
        .iter()
        .map(|floor| format!("{} from {} on", floor.transport, strictest(floor.transport)))
        .collect();
    let classes = if classes.is_empty() { "no class".to_owned() } else { classes.join(", ") };
    let whole = if examination.complete { "" } else { "; something could not be measured" };
    format!("{:9}can judge: {classes}{whole}", "Summary")
}
