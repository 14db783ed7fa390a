//! Who somebody is and what presents it: principals and credentials.

mod credential;
mod principal;

pub use credential::{MachineToken, Secret, SecretHash, TokenKind, UserName, device_of_urn};
pub use principal::{Eui64, FormError, PrincipalName, PrincipalRef, Role};
