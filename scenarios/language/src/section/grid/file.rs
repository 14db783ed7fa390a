//! The network's file, with those that it names.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_grid::Network;
use lastmeter_params::{Code, Diagnostics, Values};

use super::rows::{doubt, kept_text, text_of};
use crate::files::Files;
use crate::network_file::{Origin, understood};

/// Of more mistakes than these a list helps nobody.
const MISTAKES_MAX: usize = 20;

/// The network of `[grid]`; what was read goes to `kept`, by the names as written.
pub(super) fn network(
    values: &Values,
    files: &Files<'_>,
    kept: &mut BTreeMap<String, String>,
    out: &mut Diagnostics,
) -> Option<Network> {
    let name = values.text("file");
    let span = values.span_of("file");
    let text = kept_text((name, span), "expected a network", files, kept, out)?;
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let mut open = |other: &str| {
        let name = folder.join(other).display().to_string();
        let text = text_of(&name, files)?;
        kept.insert(name, text.clone());
        Ok(text)
    };
    let mut refuse = |message: String| {
        out.report(Code::FILE_REFUSED, span, message, "the network of this file");
    };
    match understood(name, Path::new(name), &text, &mut open) {
        Ok(read) => {
            if let Origin::Pgm(document) = &read.origin
                && let Some(why) = &document.symmetric_only
            {
                let line = why.place.0;
                refuse(format!("{name}:{line}: {}, so it cannot be solved by phase", why.what));
                return None;
            }
            let report = lastmeter_grid::check::check(&read.network);
            for what in &report.doubts {
                doubt(values, &what.to_string(), None, out);
            }
            let mut refuse = |message: String| {
                out.report(Code::FILE_REFUSED, span, message, "the network of this file");
            };
            let unfed = report.remarks;
            for remark in unfed.iter().take(MISTAKES_MAX) {
                let why = match remark.element {
                    "shunt" => "; leave those wires out",
                    _ => ", and its meters would have nothing to count",
                };
                refuse(format!("{name}: {remark}{why}"));
            }
            unfed.is_empty().then_some(read.network)
        }
        Err(mistakes) => {
            let more = mistakes.len().saturating_sub(MISTAKES_MAX);
            mistakes.into_iter().take(MISTAKES_MAX).for_each(&mut refuse);
            if more > 0 {
                refuse(format!("{name}: and {more} more mistakes"));
            }
            None
        }
    }
}
