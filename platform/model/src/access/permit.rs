//! Permits: what reading asks for in place of a principal, and what they leave of rows.

use lastmeter_units::{HardwareId, SimDuration, SimTime};

use super::grant::{Quantities, Span, Window};
use super::may::{Decision, Scope};
use crate::row::{AlertRow, ReadingRow, instant_of_data};

/// Evidence that somebody may have what lies in a scope. Only a decision makes one, and the
/// tenant's own machinery has that of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    scope: Scope,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// As if there were no such thing.
    Hidden,
    /// The principal may do something else with the thing.
    Forbidden,
    /// Nobody has logged in.
    LogIn,
}

impl Permit {
    /// That of a tenant's own machinery: everything of it.
    pub const fn whole_tenant() -> Self {
        Self { scope: Scope::All }
    }

    /// What may be had.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether everything may be had that was asked for.
    pub fn is_whole(&self) -> bool {
        self.scope == Scope::All
    }

    /// What it leaves of the rows of a device. Windows with a finest width leave none.
    pub fn cut(&self, device: &HardwareId) -> Cut {
        self.cut_with(device, |_, _| None)
    }

    /// What it leaves of the values of a device for roll-ups of a width; `whole` gives what of a
    /// span closed roll-ups of a window's finest width fill, if that is the width.
    pub fn cut_with(
        &self,
        device: &HardwareId,
        whole: impl Fn(SimDuration, Span) -> Option<Span>,
    ) -> Cut {
        let windows = match &self.scope {
            Scope::All => return Cut(Extent::All),
            Scope::Windows(windows) => &windows[..],
            Scope::Public => &[],
        };
        let usable = |window: &Window| {
            let Some(finest) = window.finest else { return Some(window.clone()) };
            let Span { from, until } = whole(finest, window.span())?;
            Some(Window { from, until, ..window.clone() })
        };
        let of_device = windows.iter().filter(|window| window.device == *device);
        Cut(Extent::Windows(of_device.filter_map(usable).collect()))
    }
}

/// What a permit leaves of the rows of one device. A row belongs to the earlier of when it was
/// measured and when it arrived, so that neither a late one nor a clock that is fast takes it to
/// somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut(Extent);

#[derive(Clone, Debug, PartialEq)]
enum Extent {
    All,
    Windows(Vec<Window>),
}

impl Cut {
    /// It leaves nothing.
    pub const NOTHING: Self = Self(Extent::Windows(Vec::new()));

    /// The windows that it leaves; `None` is everything.
    pub fn windows(&self) -> Option<&[Window]> {
        match &self.0 {
            Extent::All => None,
            Extent::Windows(windows) => Some(windows),
        }
    }

    /// The first instant of which it can leave anything.
    pub fn first(&self) -> SimTime {
        let first = |windows: &[Window]| windows.iter().map(|window| window.from).min();
        self.windows().map_or(SimTime(i64::MIN), |it| first(it).unwrap_or(SimTime(i64::MAX)))
    }

    /// Whether it leaves what belongs to an instant and is of no quantity: a command, an alert,
    /// metadata. Windows of some quantities only do not.
    pub fn has(&self, at: SimTime) -> bool {
        let has = |one: &Window| {
            one.quantities == Quantities::All && one.finest.is_none() && one.span().contains(at)
        };
        self.windows().is_none_or(|windows| windows.iter().any(has))
    }

    /// Whether it leaves the value of a quantity. A roll-up has what was measured within it, and
    /// lies in the window as a whole.
    pub fn has_value(&self, event: SimTime, received: SimTime, quantity: &str) -> bool {
        let at = instant_of_data(event, received);
        let has = |one: &Window| {
            one.span().contains(at)
                && (one.finest.is_none() || one.span().contains(event))
                && one.quantities.contains(quantity)
        };
        self.windows().is_none_or(|windows| windows.iter().any(has))
    }

    /// Whether it leaves an alert.
    pub fn has_alert(&self, row: &AlertRow) -> bool {
        self.has(instant_of_data(row.event, row.received))
    }

    /// What it leaves of a reading, if anything.
    pub fn reading(&self, mut row: ReadingRow) -> Option<ReadingRow> {
        if self.windows().is_none() {
            return Some(row);
        }
        let (event, received) = (row.event, row.received);
        row.values.retain(|(name, _)| self.has_value(event, received, name));
        row.extra = row.extra.filter(|_| self.has(instant_of_data(event, received)));
        (!row.values.is_empty()).then_some(row)
    }
}

impl Decision {
    /// The permit that it comes to.
    ///
    /// # Errors
    /// Why there is none.
    pub fn permit(self) -> Result<Permit, Denied> {
        match self {
            Self::Yes(scope) => Ok(Permit { scope }),
            Self::Hidden => Err(Denied::Hidden),
            Self::Forbidden => Err(Denied::Forbidden),
            Self::LogIn => Err(Denied::LogIn),
        }
    }
}
