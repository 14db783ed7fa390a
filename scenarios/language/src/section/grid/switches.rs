//! Switches of the network at which devices are: `at = "switch:NAME"`.
//!
//! With such a device the network obeys: it is played while the run goes on, from one instant at
//! which everything is quiescent to the next.

use lastmeter_devices::Fits;
use lastmeter_grid::Network;
use lastmeter_params::{Code, Diagnostics};
use lastmeter_sim::MeteringPoint;
use lastmeter_sim::grid::SwitchPoint;

use super::feed::Grid;
use crate::draft::{Draft, Row};
use crate::names::{Names, SWITCH_PREFIX};
use crate::references::References;
use crate::section::device::{DEVICE, kind_of};
use crate::section::scenario::is_in_real_time;
use crate::section::source::Source;

/// What the sources that are switches of the network are called as a kind; no `[[source]]` can be
/// of it.
const GRID_SWITCH: &str = "grid-switch";

/// The names of the switches of a network as it is written down.
pub(super) fn names(network: &Network) -> Names {
    let names = network.switches.iter().map(|it| it.name.to_string());
    Names::given("switch", names, true)
}

/// The places of devices at switches: of each switch one, if there is any device at one. A network
/// that cannot obey is reported.
pub(crate) fn switch_places(
    draft: &Draft<'_>,
    (grid, references): (Option<&Grid>, &References),
    out: &mut Diagnostics,
) -> Vec<Source> {
    report_unable_to_obey(draft, (grid, references), out);
    let from = references.switches_from;
    let is_used = references.source_of_device.iter().flatten().any(|source| *source >= from);
    let Some(grid) = grid.filter(|_| is_used) else { return Vec::new() };
    let declared = grid.ahead.as_deref().map(|playing| &playing.network().switches);
    let source = |name: &str| {
        let own = declared.and_then(|all| all.iter().find(|it| &*it.name == name));
        let point = own.map(|it| MeteringPoint::Switch(SwitchPoint::new(it.closed)));
        Source::new(format!("{SWITCH_PREFIX}{name}"), GRID_SWITCH, point)
    };
    grid.switches.iter().map(source).collect()
}

/// A model for switches is at a switch, and no other is; `None` if it is not so.
pub(crate) fn is_at_its_place(
    device: &Row<'_>,
    point: &MeteringPoint,
    out: &mut Diagnostics,
) -> Option<()> {
    let kind = kind_of(device)?;
    let (is_for_one, is_one) = (kind.fits == Fits::Switch, point.switch().is_some());
    if is_for_one == is_one {
        return Some(());
    }
    let ((at, span), name) = (device.text("at")?, kind.entry.name);
    let (message, label) = if is_for_one {
        let message =
            format!("`{name}` is the drive of a switch of the network, and `{at}` is none");
        (message, "expected `switch:NAME`")
    } else {
        (format!("`{name}` cannot measure at `{at}`, a switch"), "expected a load or a source")
    };
    out.report(Code::DOES_NOT_FIT, span, message, label);
    None
}

/// A network with devices at its switches can be played while the run goes on.
fn report_unable_to_obey(
    draft: &Draft<'_>,
    (grid, references): (Option<&Grid>, &References),
    out: &mut Diagnostics,
) {
    let tables = draft.rows(&DEVICE).iter().zip(&references.source_of_table);
    for (row, source) in tables {
        let place = source.and_then(|source| source.checked_sub(references.switches_from));
        let (Some(place), Some(grid)) = (place, grid) else { continue };
        let mut refuse = |message: &str, label: &str, help: &str| {
            let help = Some(help.to_owned());
            out.report_with_help(Code::DOES_NOT_FIT, row.span, message, label, help);
        };
        if is_in_real_time(draft) {
            let message = "the network obeys switches in virtual time only";
            let label = "expected no device at a switch in real time";
            refuse(message, label, "write `time = \"virtual\"`, or leave this device out");
        } else if grid.live.is_some() {
            let message = "a simulator plays the network, and gives orders to its switches";
            let label = "expected no device at a switch beside a `[[simulator]]`";
            refuse(message, label, "leave the simulator out, or this device");
        } else if grid.ahead.as_ref().is_some_and(|ahead| ahead.motion().is_none()) {
            let message = "a switch moves at an instant, and this network only steps";
            let help = "write `resolution = \"phasors\"` (or `\"waveforms\"`) under `[grid]`";
            refuse(message, "expected a network in motion", help);
        } else if kind_of(row).is_some_and(|kind| kind.entry.name == "recloser")
            && !has_recloser(grid, place)
        {
            let name = grid.switches.get(place).unwrap_or_default();
            let message = format!("there is no recloser in `{SWITCH_PREFIX}{name}`");
            let help = format!(
                "add a `[[grid.protection]]` with `kind = \"recloser\"` and \
                 `at = \"{SWITCH_PREFIX}{name}\"`, or take the model `switch`"
            );
            refuse(&message, "expected a recloser there", &help);
        }
    }
}

/// Whether a recloser is in a switch; so it may be in a network that cannot be played.
fn has_recloser(grid: &Grid, place: usize) -> bool {
    let (Some(ahead), Some(name)) = (grid.ahead.as_deref(), grid.switches.get(place)) else {
        return true;
    };
    let switch = ahead.network().switches.iter().position(|it| &*it.name == name);
    let protectors = ahead.motion().map_or(&[][..], |motion| &motion.protectors);
    protectors.iter().any(|it| Some(it.switch) == switch && it.name.starts_with("recloser:"))
}
