//! Certificates as made here, judged by rustls and its verifier.

use super::*;

#[test]
fn keys_are_not_shown() {
    let authority = Authority::generate("bench").unwrap();
    let identity = authority.issue_device("home-1").unwrap();
    let secret = identity.key_pem.lines().nth(1).unwrap().to_owned();
    let tls = ClientTls::new(authority.certificate_pem(), "localhost").with_identity(identity);
    let shown = format!("{tls:?} {authority:?}");
    assert!(!shown.contains(&secret), "{shown}");
}
