//! What a kind of injection is: the row of the registry.

use lastmeter_devices::Device;
use lastmeter_params::{Diagnostics, Entry};
use lastmeter_record::Event;

use super::injection::Injection;
use super::order::Order;
use super::target::Places;
use crate::draft::{Draft, Row};
use crate::references::{Target, Through};

/// The names of connections through a link, each of which has an end in the record; none in virtual
/// time.
pub(crate) type Lanes<'a> = dyn Fn(&Through) -> Option<Vec<String>> + 'a;

/// A kind of injection. It holds all that is particular to it, so that nobody else asks for its
/// name.
pub(crate) trait InjectKind: Sync {
    /// Name, texts and fields, besides those every injection has.
    fn entry(&self) -> Entry;

    /// Reports what is wrong with a table beside its fields, as far as that takes no names.
    fn check(&self, _row: &Row<'_>, _draft: &Draft<'_>, _out: &mut Diagnostics) {}

    /// Finds whom the injection of a table befalls; reports if there is no such.
    fn target(&self, row: &Row<'_>, places: &mut Places<'_>) -> Option<Target>;

    /// Reports what is wrong with it for the device that it befalls.
    fn validate_target(&self, _row: &Row<'_>, _device: &PlacedDevice<'_>, _out: &mut Diagnostics) {}

    /// What its link is called meanwhile; two that call it the same do not meet on one link.
    fn link_is(&self) -> Option<&'static str> {
        None
    }

    /// Whether two of them must not be at one time, for whom they befall.
    fn excludes(&self, _one: &Target, _other: &Target) -> bool {
        false
    }

    /// Of one that breaks connections, whether that ends before the scenario; `None` of others.
    fn breakage_ends(&self, _row: &Row<'_>) -> Option<bool> {
        None
    }

    /// What the bench has to do when it begins.
    fn begin(&self, _injection: &Injection) -> Vec<Order> {
        Vec::new()
    }

    /// What it has to do when it ends. What ends at an instant ends before what begins then.
    fn end(&self, _injection: &Injection) -> Vec<Order> {
        Vec::new()
    }

    /// What is recorded when it begins, from an event with its time, kind, keys and target; `None`
    /// if that is recorded when it is carried out.
    fn begun(&self, _injection: &Injection, _lanes: &Lanes<'_>, event: Event) -> Option<Event> {
        Some(event)
    }
}

/// A device that an injection befalls, as far as it could be read.
pub(crate) struct PlacedDevice<'a> {
    pub(crate) table: &'a Row<'a>,
    pub(crate) device: Option<&'a dyn Device>,
    pub(crate) in_real_time: bool,
}

/// The registered kind of a table.
pub(crate) fn kind_of(row: &Row<'_>) -> Option<&'static dyn InjectKind> {
    let name = row.kind?;
    super::injections().find(|kind| kind.entry().name == name)
}
