//! Certificates as made here, judged by rustls and its verifier in handshakes in memory.

use std::io;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConnection, ServerConfig, ServerConnection};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::*;

const NAME: &str = "platform.test";

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server that shows this identity and wants a certificate of this authority.
fn server(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("it", authority.certificate_pem()).unwrap() {
                roots.add(certificate).unwrap();
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = certificates("it", &identity.certificate_pem).unwrap();
    Arc::new(
        builder.with_single_cert(chain, private_key("it", &identity.key_pem).unwrap()).unwrap(),
    )
}

/// A whole handshake; the results of client and server.
fn shake(
    client: &ClientTls,
    server: &Arc<ServerConfig>,
) -> (Result<(), String>, Result<(), String>) {
    let (config, name) = client.config().unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let (mut at_client, mut at_server) = (Ok(()), Ok(()));
    // More rounds than a handshake has, so that an alert arrives too.
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut &wire[..]).unwrap();
        if let Err(error) = server.process_new_packets() {
            at_server = Err(error.to_string());
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut &wire[..]).unwrap();
        if let Err(error) = client.process_new_packets() {
            at_client = Err(later_words(&io::Error::other(error)).unwrap());
        }
    }
    assert!(at_client.is_err() || at_server.is_err() || !client.is_handshaking());
    (at_client, at_server)
}

/// A client's result with a server.
fn judged(client: &ClientTls, identity: &Identity) -> String {
    let (at_client, at_server) = shake(client, &server(identity, None));
    assert!(at_server.is_err(), "the server has to hear of it");
    at_client.expect_err("it must not be taken")
}

#[test]
fn servers_and_devices_of_one_authority_trust_each_other() {
    let authority = Authority::generate("bench").unwrap();
    let names = [NAME, "127.0.0.1", "::1", "*.field.test"];
    let identity = authority.issue_server(&names).unwrap();
    let device = authority.issue_device("home-1").unwrap();
    for name in [NAME, "127.0.0.1", "::1", "gateway.field.test"] {
        let client =
            ClientTls::new(authority.certificate_pem(), name).with_identity(device.clone());
        let ends = shake(&client, &server(&identity, Some(&authority)));
        assert_eq!(ends, (Ok(()), Ok(())), "{name}");
    }
}

/// A server's certificate that looks as if this authority had signed it.
fn impostor(authority: &Authority) -> Identity {
    let forger = rcgen::KeyPair::generate().unwrap();
    let forger = rcgen::Issuer::from_ca_cert_pem(authority.certificate_pem(), forger).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let certificate_pem = params.signed_by(&key, &forger).unwrap().pem();
    Identity { certificate_pem, key_pem: key.serialize_pem() }
}

#[test]
fn what_is_wrong_with_a_server_is_reported_in_words() {
    let authority = Authority::generate("bench").unwrap();
    let client = ClientTls::new(authority.certificate_pem(), NAME);
    let good = || authority.issue_server(&[NAME]).unwrap();
    let is = |identity: &Identity| judged(&client, identity);
    let begin = "the broker's certificate is not valid:";

    let another = Authority::generate("another").unwrap();
    let found = is(&another.issue_server(&[NAME]).unwrap());
    assert_eq!(found, format!("{begin} unknown authority"));
    // Two that are called the same are two.
    let another = Authority::generate("bench").unwrap();
    let found = is(&another.issue_server(&[NAME]).unwrap());
    assert_eq!(found, format!("{begin} unknown authority"));
    // One that has taken the whole name, but has another key.
    let found = is(&impostor(&authority));
    assert_eq!(found, format!("{begin} not signed by the authority that it names"));
    let found = is(&authority.issue_server_valid(&[NAME], Validity::expired()).unwrap());
    // An hour ago, and the time this test takes.
    let ago_s = found.strip_prefix(&format!("{begin} expired ")).unwrap();
    let ago_s: u64 = ago_s.strip_suffix(" s ago").unwrap().parse().unwrap();
    assert!((3600..3660).contains(&ago_s), "{ago_s}");
    let found = is(&authority.issue_server_valid(&[NAME], Validity::not_yet()).unwrap());
    assert!(found.starts_with(&format!("{begin} not valid yet, but in 3")), "{found}");
    let found = is(&authority.issue_server(&["elsewhere.test"]).unwrap());
    assert!(found.starts_with(&format!("{begin} not valid for name {NAME}; it has")), "{found}");
    assert!(found.contains("elsewhere.test"), "{found}");
    let found = is(&authority.issue_device(NAME).unwrap());
    assert_eq!(found, format!("{begin} not made for servers"));
    let (fine, _) = shake(&client, &server(&good(), None));
    assert_eq!(fine, Ok(()), "and else there is nothing wrong");
}

#[test]
fn the_alert_of_a_server_is_reported_in_words() {
    let authority = Authority::generate("bench").unwrap();
    let another = Authority::generate("another").unwrap();
    let identity = authority.issue_server(&[NAME]).unwrap();
    let server = server(&identity, Some(&authority));
    let trusting = ClientTls::new(authority.certificate_pem(), NAME);
    let is = |identity: Option<Identity>| {
        let client = ClientTls { identity, ..trusting.clone() };
        let (at_client, at_server) = shake(&client, &server);
        at_server.expect_err("it must not be taken");
        at_client.expect_err("it has to hear of it")
    };
    let begin = "the broker refused the TLS connection:";
    assert_eq!(is(None), format!("{begin} it wants a certificate"));
    let found = is(Some(another.issue_device("home-1").unwrap()));
    assert_eq!(found, format!("{begin} it does not know who signed the client's certificate"));
    let found = is(Some(authority.issue_device_valid("home-1", Validity::expired()).unwrap()));
    assert_eq!(found, format!("{begin} the client's certificate has expired"));
    let found = is(Some(identity.clone()));
    assert!(found.starts_with(&format!("{begin} it does not take the client's")), "{found}");
}

/// Common name and URI names of a certificate.
fn names(identity: &Identity) -> (Vec<String>, Vec<String>) {
    let der = certificates("it", &identity.certificate_pem).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der[0]).unwrap();
    let common = certificate.subject().iter_common_name();
    let common = common.map(|name| name.as_str().unwrap().to_owned()).collect();
    let alternatives = certificate.subject_alternative_name().unwrap().unwrap();
    let uris = alternatives.value.general_names.iter().map(|name| match name {
        GeneralName::URI(uri) => (*uri).to_owned(),
        other => panic!("{other:?}"),
    });
    (common, uris.collect())
}

#[test]
fn a_device_certificate_names_its_device() {
    let authority = Authority::generate("bench").unwrap();
    let long = "x".repeat(128);
    for (id, uri, common) in [
        ("123-TEST-4567890", "urn:lastmeter:device:123-TEST-4567890", Some("123-TEST-4567890")),
        // UTF-8 of "ä" is C3 A4.
        ("Zähler 7%", "urn:lastmeter:device:Z%C3%A4hler%207%25", Some("Zähler 7%")),
        (&long, &format!("urn:lastmeter:device:{long}"), None),
    ] {
        let (found, uris) = names(&authority.issue_device(id).unwrap());
        assert_eq!(uris, [uri]);
        assert_eq!(found.first().map(String::as_str), common);
    }
}

#[test]
fn an_authority_can_be_kept_and_used_again() {
    let made = Authority::generate("bench").unwrap();
    let again = Authority::from_pem(made.certificate_pem(), &made.key_pem()).unwrap();
    let identity = again.issue_server(&[NAME]).unwrap();
    let client = ClientTls::new(made.certificate_pem(), NAME);
    assert_eq!(shake(&client, &server(&identity, None)).0, Ok(()));
}

#[test]
fn an_authority_below_another_sends_its_own_certificate_along() {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "below");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let mut above = params.clone();
    above.distinguished_name.push(rcgen::DnType::CommonName, "above");
    let (key, above_key) =
        (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let anchor = rcgen::CertifiedIssuer::self_signed(above, above_key).unwrap();
    let certificate = params.signed_by(&key, &anchor).unwrap();
    let below = Authority::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap();
    let identity = below.issue_server(&[NAME]).unwrap();
    assert_eq!(identity.certificate_pem.matches("BEGIN CERTIFICATE").count(), 2);
    let client = ClientTls::new(&anchor.pem(), NAME);
    assert_eq!(shake(&client, &server(&identity, None)).0, Ok(()));
}

#[test]
fn texts_that_cannot_be_used_are_reported() {
    let authority = Authority::generate("bench").unwrap();
    let another = Authority::generate("another").unwrap();
    let device = authority.issue_device("home-1").unwrap();
    let of = |certificate: &str, key: &str| {
        Authority::from_pem(certificate, key).expect_err("no authority").to_string()
    };
    let (good, key) = (authority.certificate_pem(), authority.key_pem());
    for (found, word) in [
        (of("", &key), "at least one PEM certificate"),
        (of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key), "certificate"),
        (of(good, ""), "the authority's key"),
        (of(good, &another.key_pem()), "is not that of the certificate (CN=bench, serialNumber="),
        (of(&device.certificate_pem, &device.key_pem), "CN=home-1 is no authority's"),
    ] {
        assert!(found.contains(word), "{found}");
    }
    for names in [&[][..], &[""], &["a b"], &["ä.test"], &["a\nb"]] {
        assert!(matches!(authority.issue_server(names), Err(TlsError::Name { .. })), "{names:?}");
    }
    assert!(matches!(authority.issue_device(""), Err(TlsError::Name { .. })));
    assert!(matches!(authority.issue_device("a\0"), Err(TlsError::Name { .. })));
    let never = Validity { not_before_s: 10, not_after_s: 10 };
    let found = authority.issue_device_valid("home-1", never);
    assert!(matches!(found, Err(TlsError::Validity { .. })));
    let client = ClientTls::new(good, "no name at all");
    assert!(matches!(client.config(), Err(TlsError::Name { .. })));
    let client = ClientTls::new("no PEM", NAME);
    assert!(matches!(client.config(), Err(TlsError::Certificate { .. })));
    let torn = Identity { key_pem: another.key_pem(), ..device };
    let client = ClientTls::new(good, NAME).with_identity(torn);
    assert!(matches!(client.config(), Err(TlsError::Mismatch(_))));
}

#[test]
fn keys_are_not_shown() {
    let authority = Authority::generate("bench").unwrap();
    let identity = authority.issue_device("home-1").unwrap();
    let secret = identity.key_pem.lines().nth(1).unwrap().to_owned();
    let tls = ClientTls::new(authority.certificate_pem(), "localhost").with_identity(identity);
    let shown = format!("{tls:?} {authority:?}");
    assert!(!shown.contains(&secret), "{shown}");
}
