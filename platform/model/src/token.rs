//! Tokens of entities, and numbers that strangers see sealed.
//!
//! Ids and cursors are the row's number under AES-128 with the tenant's key: one block of a kind,
//! the number and seven zero bytes. Whoever lacks the key can neither count rows nor make an id; a
//! forged text passes with a probability of 2^-56, and one of another kind or tenant is no id.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};

/// 128 bits of SHA-256 over texts, zero bytes between them, in the form of a UUID.
fn hashed_token(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    let digits = digits(*hash.first_chunk().expect("SHA-256 has 32 bytes"));
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    groups.join("-")
}

fn digits(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The token of a device's assignment before it has one of its own.
pub fn assignment_token(tenant: &str, hardware_id: &str) -> String {
    hashed_token(&[tenant, hardware_id])
}

/// The token of the `n`-th entity of a kind in a tenant, where the client gives none.
pub fn entity_token(tenant: &str, kind: &str, n: u64) -> String {
    hashed_token(&[tenant, kind, &n.to_string()])
}

/// The token of an alarm in a tenant, by what identifies it.
pub(crate) fn alarm_token(tenant: &str, key: [&str; 3]) -> String {
    hashed_token(&[tenant, "alarm", key[0], key[1], key[2]])
}

/// The token of the `index`-th notification that a cause has at an instant.
pub(crate) fn notification_token(cause: &str, at_ns: i64, index: usize) -> String {
    hashed_token(&["notification", cause, &at_ns.to_string(), &index.to_string()])
}

/// The longest token that a client may give, in bytes.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing, or more than [`TOKEN_BYTES_MAX`].
    #[error("a token has {0} bytes, expected 1 to {TOKEN_BYTES_MAX}")]
    Length(usize),
    /// A character that it may not have.
    #[error("a token contains {0:?}, expected letters, digits and `-`, `_`, `.`, `:`, `~`")]
    Character(char),
}

/// Checks a token that a client gives: it stands in paths of URLs as it is.
///
/// # Errors
/// Its length or its first character that is not allowed.
pub fn validate_token(text: &str) -> Result<(), TokenError> {
    if !(1..=TOKEN_BYTES_MAX).contains(&text.len()) {
        return Err(TokenError::Length(text.len()));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:~".contains(c);
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(TokenError::Character(c)),
        None => Ok(()),
    }
}

/// A number as strangers see it: 32 hexadecimal digits. `kind` is the list it belongs to. With
/// another salt it is another text, so that equal numbers are not seen to be equal.
pub fn seal_number(key: &[u8; 16], kind: u8, number: u64, salt: u32) -> String {
    let mut block = [0; 16];
    block[9..13].copy_from_slice(&salt.to_be_bytes());
    block[0] = kind;
    block[1..9].copy_from_slice(&number.to_be_bytes());
    let mut block = block.into();
    Aes128::new(key.into()).encrypt_block(&mut block);
    digits(block.into())
}

/// The number in a text of [`seal_number`]; `None` if the text was made with another key, for
/// another kind, or by somebody else.
pub fn open_number(key: &[u8; 16], kind: u8, text: &str) -> Option<u64> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 32 || !text.as_bytes().iter().all(is_digit) {
        return None;
    }
    let mut block = u128::from_str_radix(text, 16).ok()?.to_be_bytes().into();
    Aes128::new(key.into()).decrypt_block(&mut block);
    let (number, salted) = block[1..].split_first_chunk()?;
    (block[0] == kind && salted[4..] == [0; 3]).then(|| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_hashes_in_the_form_of_a_uuid() {
        // By Python: hashlib.sha256(b"default\0meter-1").hexdigest()[:32].
        let assignment = assignment_token("default", "meter-1");
        assert_eq!(assignment, "1e777fd0-2951-9c25-7c8a-973b60082969");
        assert_eq!(entity_token("default", "asset", 1), "c9ed8a45-d227-8bfc-ca7f-235605fa83aa");
        assert_eq!(validate_token(&assignment), Ok(()));
    }

    #[test]
    fn tokens_of_clients_fit_into_a_path() {
        for text in ["a", "device-0::x~1", &"x".repeat(128)] {
            assert_eq!(validate_token(text), Ok(()));
        }
        assert_eq!(validate_token(""), Err(TokenError::Length(0)));
        assert_eq!(validate_token(&"x".repeat(129)), Err(TokenError::Length(129)));
        for text in ["a/b", "a b", "é", "%2f", "a?b"] {
            assert!(matches!(validate_token(text), Err(TokenError::Character(_))), "{text}");
        }
    }

    #[test]
    fn a_sealed_number_is_one_block_of_aes() {
        // FIPS 197, appendix C.1, has this key; the text is that of `openssl enc -aes-128-ecb`.
        let key = std::array::from_fn(|n| n as u8);
        assert_eq!(open_number(&key, 1, &seal_number(&key, 1, 42, 0)), Some(42));
        assert_eq!(seal_number(&key, 1, 42, 0), "c884c08e8d7ca51debd211e88073ad8a");
    }

    #[test]
    fn sealed_numbers_cannot_be_counted() {
        let texts: Vec<_> = (1..=1000).map(|n| seal_number(&[7; 16], 1, n, 0)).collect();
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 1000);
        let rises = texts.windows(2).filter(|two| two[0] < two[1]).count();
        assert!((400..600).contains(&rises), "{rises}");
    }

    proptest! {
        #[test]
        fn only_the_same_key_and_kind_open_a_number(
            key: [u8; 16],
            other: [u8; 16],
            kind: u8,
            other_kind: u8,
            number: u64,
            salt: u32,
        ) {
            let text = seal_number(&key, kind, number, salt);
            prop_assert_eq!(open_number(&key, kind, &text), Some(number));
            prop_assert_eq!(text == seal_number(&key, kind, number, 0), salt == 0);
            if other != key {
                prop_assert_eq!(open_number(&other, kind, &text), None);
            }
            if other_kind != kind {
                prop_assert_eq!(open_number(&key, other_kind, &text), None);
            }
        }

        #[test]
        fn changed_and_foreign_texts_are_refused(
            key: [u8; 16],
            number: u64,
            at in 0..32_usize,
            digit in "[0-9a-f]",
            foreign in "[0-9a-f]{32}|.{0,40}",
        ) {
            let text = seal_number(&key, 3, number, 0);
            let mut changed = text.clone();
            changed.replace_range(at..=at, &digit);
            prop_assert_eq!(open_number(&key, 3, &changed).is_some(), changed == text);
            prop_assert_eq!(open_number(&key, 3, &foreign), None);
            prop_assert_eq!(open_number(&key, 3, &text[1..]), None);
            let upper = text.to_uppercase();
            prop_assert_eq!(open_number(&key, 3, &upper).is_some(), upper == text);
        }
    }
}
