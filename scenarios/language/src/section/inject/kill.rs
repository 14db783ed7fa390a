//! `kill`: the platform's process dies.

use lastmeter_params::{Code, Entry, Field, Kind};
use lastmeter_record::Event;

use super::injection::Injection;
use super::kind::InjectKind;
use super::kind::Lanes;
use super::order::Order;
use super::target::Places;
use crate::draft::Row;
use crate::references::Target;
use crate::section::platform::PlatformUse;

pub(super) struct Kill;

impl InjectKind for Kill {
    fn entry(&self) -> Entry {
        Entry {
            name: "kill",
            summary: "the platform's process is killed and started again",
            description: "While messages are on their way the platform's process gets SIGKILL, as \
                from a power failure of its host, and is started again on the same data. Needs a \
                platform that is a child process: `use = \"child\"` under `[platform]`.",
            fields: FIELDS,
        }
    }

    /// Only a child process can be killed.
    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target> {
        let (message, label) = match places.platform {
            Some(PlatformUse::Child) | None => return Some(Target::Bench),
            Some(PlatformUse::Embedded) => {
                ("an embedded platform cannot be killed", "it is part of the bench's process")
            }
            Some(PlatformUse::Profile(_)) => (
                "a platform that was started by somebody else is not killed",
                "not the bench's own",
            ),
        };
        let help = "write `use = \"child\"` under `[platform]`, or give `--platform child`";
        let span = row.text("kind").map_or(row.span, |(_, span)| span);
        places.out.report_with_help(
            Code::PLATFORM_CANNOT,
            span,
            message,
            label,
            Some(help.to_owned()),
        );
        None
    }

    fn breakage_ends(&self, _row: &Row<'_>) -> Option<bool> {
        Some(true)
    }

    fn begin(&self, _injection: &Injection) -> Vec<Order> {
        vec![Order::KillPlatform]
    }

    /// Death and return are recorded when they take place.
    fn begun(&self, _injection: &Injection, _lanes: &Lanes<'_>, _event: Event) -> Option<Event> {
        None
    }
}

const FIELDS: &[Field] =
    &[Field::default("target", Kind::Choice(&["platform"]), "\"platform\"", "what dies")];
