//! Who somebody is, what presents it, and what it may do: principals, credentials and rights.

mod action;
mod credential;
mod grant;
mod principal;
mod resource;

pub use action::Action;
pub use credential::{
    MachineToken, Secret, SecretHash, TokenKind, UserName, device_of_urn, urn_of_device,
};
pub use grant::{Grant, Pattern, Quantities, Span, Tenure, Visibility, Window};
pub use principal::{Eui64, FormError, KeyScope, Principal, PrincipalName, PrincipalRef, Role};
pub use resource::{Kind, Owner, Resource, Subject, Target};
