//! Permits: what reading asks for in place of a principal.

use super::may::{Decision, Scope};

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
