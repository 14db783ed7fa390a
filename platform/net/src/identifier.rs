//! Client identifiers, scoped by the credential of the client.
//!
//! `rmqtt` keeps sessions by client identifier alone, so a client would end the connection of any
//! other one with its identifier, whoever that is. So the library gets every identifier with the
//! user name in front of it, and a take-over (MQTT 3.1.1 section 3.1.4) happens within one user
//! name only. Clients, and whoever is shown an identifier, have the original.

use bytestring::ByteString;
use rmqtt_codec::error::DecodeError;
use uuid::Uuid;

use crate::Builder;

/// Stands between user name and identifier. It is in no identifier, because none has control
/// characters, so the last one of a text is the separator, whatever the user name.
const SEPARATOR: char = '\u{1f}';

/// The identifier under which the library has the client of a user name.
pub fn scope(user_name: &str, identifier: &str) -> String {
    format!("{user_name}{SEPARATOR}{identifier}")
}

/// User name and identifier of a client of the library; no user name where there is no scope, as
/// of what the platform itself sends.
pub fn unscope(scoped: &str) -> (&str, &str) {
    scoped.rsplit_once(SEPARATOR).unwrap_or(("", scoped))
}

/// Checks what a client asks to be named; the bound is on the original.
pub(crate) fn check(identifier: &str, settings: &Builder) -> Result<(), DecodeError> {
    if identifier.chars().any(char::is_control) {
        settings.bad_names.notify();
        return Err(DecodeError::InvalidClientId);
    }
    if identifier.len() > settings.client_id_limit_bytes {
        return Err(DecodeError::InvalidClientId);
    }
    Ok(())
}

/// An identifier for a client that leaves it to the broker (MQTT 3.1.1 section 3.1.3.1), in the
/// form that the library has for it.
pub(crate) fn assign() -> ByteString {
    Uuid::new_v4().simple().to_string().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_without_a_scope_is_an_identifier() {
        assert_eq!(unscope("platform"), ("", "platform"));
        assert_eq!(unscope(""), ("", ""));
    }

    proptest! {
        /// With it two clients have one session only if both names are equal.
        #[test]
        fn unscoping_gives_both_names_back(
            user_name in any::<String>(),
            more in "[\u{1f}a/]{0,4}",
            identifier in "\\PC{0,20}",
        ) {
            for user_name in [&user_name, &more, &format!("{user_name}{more}")] {
                let scoped = scope(user_name, &identifier);
                prop_assert_eq!(unscope(&scoped), (user_name.as_str(), identifier.as_str()));
            }
        }

        #[test]
        fn an_identifier_has_no_control_characters_and_a_bounded_length(
            identifier in any::<String>(),
            limit in 0..64_usize,
        ) {
            let address = ([127, 0, 0, 1], 0).into();
            let settings = Builder { client_id_limit_bytes: limit, ..Builder::new(address) };
            let is_good = identifier.len() <= limit && !identifier.chars().any(char::is_control);
            prop_assert_eq!(check(&identifier, &settings).is_ok(), is_good);
        }
    }

    #[test]
    fn no_two_clients_are_assigned_the_same_identifier() {
        let (one, other) = (assign(), assign());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32, "{one}");
    }
}
