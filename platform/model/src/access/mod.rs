//! Who somebody is, what presents it, and what it may do: principals, credentials and rights.
//!
//! | file | purpose |
//! |---|---|
//! | `principal`, `credential` | who asks; user names, tokens and hashes of secrets |
//! | `resource`, `action`, `grant` | what is asked for; what owners let others have, and when |
//! | `matrix`, `may`, `topics` | the table of rights, what reads it, and topics by it |
//! | `permit` | what a decision gives to those who read, and what it leaves of rows |
//! | `facts` | what deciding asks about a tenant |
//! | `tests` | the table in words held against what decides, and laws |

mod action;
mod credential;
mod facts;
mod grant;
mod matrix;
mod may;
mod permit;
mod principal;
mod resource;
#[cfg(test)]
mod tests;
mod topics;

pub use action::Action;
pub use credential::{
    MachineToken, Secret, SecretHash, TokenKind, UserName, device_of_urn, urn_of_device,
};
pub use facts::{Facts, Network, NoFacts};
pub use grant::{Grant, Pattern, Quantities, Span, Tenure, Visibility, Window};
pub use matrix::{Right, rights_of};
pub use may::{Decision, Scope, may};
pub use permit::{Cut, Denied, Permit};
pub use principal::{
    Eui64, FormError, KEY_THINGS_MAX, KeyScope, Principal, PrincipalName, PrincipalRef, Role,
};
pub use resource::{Kind, Owner, Resource, Subject, Target};
pub use topics::{Heard, can_hear_live, may_follow, may_hear, may_publish, may_subscribe};
