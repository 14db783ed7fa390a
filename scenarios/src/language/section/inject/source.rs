//! What happens to sources, which their own package registers.

use lastmeter_params::{Code, Diagnostics, Entry};
use lastmeter_sim::InjectionKind;

use super::injection::ends_in_time;
use super::kind::InjectKind;
use super::target::{Places, Target};
use crate::language::draft::{Draft, Row};

impl InjectKind for InjectionKind {
    fn entry(&self) -> Entry {
        self.entry
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        ends_in_time(row, draft, out);
    }

    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (name, span) = row.reference("source")?;
        let label = "expected a source that is written here";
        if places.player == Some(name) {
            let message =
                format!("nothing can be injected into `{name}`, which plays its plan's points");
            let section = name.replace('-', "_");
            let help = format!(
                "leave the injection out, or write a `[[source]]` of its own instead of \
                 `[{section}]`"
            );
            places.out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help));
            return None;
        }
        if places.sources.position(name).is_some_and(|place| place >= places.grid_from) {
            let message = format!("nothing can be injected into `{name}`, which the network feeds");
            places.out.report(Code::DOES_NOT_FIT, span, message, label);
            return None;
        }
        places.sources.find(name, span, places.out).map(Target::Source)
    }

    fn of_source(&'static self) -> Option<&'static Self> {
        Some(self)
    }
}
