//! What has to work: devices with certificates, those that need none, and both kinds at once.

use super::*;

async fn send(lab: &Lab, options: SessionOptions, device: &str, serials: u64) {
    let before = read_back(&lab.rest(), "/api/v1/readings").await.len();
    let mut sender = Sender::open_with(options);
    for serial in 1..=serials {
        sender.queue(serial, reading(device, serial));
    }
    within("acknowledgements", sender.run(|_| false)).await;
    assert_eq!(sender.lost, 0);
    sender.close().await;
    let rows = lab.stored(before + serials as usize).await;
    assert_eq!(rows.iter().filter(|row| row["device"] == device).count(), serials as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_come_through_with_a_certificate() {
    let lab = Lab::start().await;
    send(&lab, lab.options("home-1"), "home-1", 300).await;
    // Any hardware id that there may be, also one that no common name can hold.
    let odd = format!("Zähler {}%", "7".repeat(80));
    send(&lab, lab.options(&odd), &odd, 3).await;
    assert_eq!(lab.counted().await, BTreeMap::new());
    assert!(lab.platform.shutdown().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_certificate_is_required_one_may_be_shown() {
    let lab = Lab::start_with(|_| ()).await;
    send(&lab, lab.options("home-1"), "home-1", 5).await;
    send(&lab, lab.options_as("home-2", None), "home-2", 5).await;
    // Where none is asked for, the one that a client has is not sent.
    let lab = Lab::start_with(|config| tls(config).client_authority = None).await;
    send(&lab, lab.options_as("home-3", None), "home-3", 5).await;
    let other = lab.authority.issue_device("home-4").unwrap();
    send(&lab, lab.options_as("home-5", Some(other)), "home-5", 5).await;
    assert_eq!(lab.counted().await, BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_other_making_names_its_device_by_the_common_name() {
    let lab = Lab::start().await;
    // What `openssl req -subj /CN=home-1` and `openssl x509` make: no alternative name at all.
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "home-1");
    let (root, root_key) = (lab.authority.certificate_pem(), lab.authority.key_pem());
    let issuer = rcgen::KeyPair::from_pem(&root_key).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(root, issuer).unwrap();
    let certificate_pem = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity { certificate_pem, key_pem: key.serialize_pem() };
    send(&lab, lab.options_as("home-1", Some(identity.clone())), "home-1", 3).await;
    let reason = why_not(lab.options_as("home-2", Some(identity))).await;
    assert!(reason.contains("not authorised"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_mqtt_is_there_as_well_unless_it_is_switched_off() {
    let lab = Lab::start().await;
    let plain = lab.platform.plain_mqtt_address().expect("plain MQTT");
    assert_eq!(lab.platform.mqtt_address(), plain);
    let options = SessionOptions::new(&plain.to_string(), "home-1", "default", TOKEN);
    send(&lab, options, "home-1", 5).await;

    let lab = Lab::start_with(|config| tls(config).plain = false).await;
    assert_eq!(lab.platform.plain_mqtt_address(), None);
    assert_eq!(lab.platform.mqtt_address(), lab.address());
    send(&lab, lab.options("home-1"), "home-1", 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_and_commands_pass_both_ways() {
    let lab = Lab::start().await;
    let mut options = lab.options("home-1");
    options.subscriptions = vec!["default/echo/home-1".into()];
    let (session, mut events, first) = first_word(options).await;
    assert_eq!(first, SessionEvent::Connected);
    // Larger than any buffer between, and not a multiple of one.
    for bytes in [0, 1, 16_383, 16_384, 16_385, 200_001] {
        let payload: bytes::Bytes = (0..bytes).map(|at| (at * 7 % 251) as u8).collect();
        session.publish(bytes, "default/echo/home-1", payload.clone()).await.unwrap();
        let (mut acknowledged, mut received) = (false, false);
        while !(acknowledged && received) {
            match within("an echo", events.recv()).await.expect("a session") {
                SessionEvent::Acknowledged { message } => acknowledged = message == bytes,
                SessionEvent::Received { payload: found, .. } => {
                    assert!(found == payload, "{bytes} bytes came back changed");
                    received = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_is_spoken_too() {
    let lab = Lab::start().await;
    let mut roots = rustls::RootCertStore::empty();
    let (authority, device) = (&lab.authority, lab.authority.issue_device("home-1").unwrap());
    roots.add(der(authority.certificate_pem())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(vec![der(&device.certificate_pem)], key(&device.key_pem))
            .unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(lab.address()).await.unwrap();
        let name = ServerName::try_from(SERVER).unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        stream.write_all(&connect_packet("home-1")).await.unwrap();
        let mut answer = [0; 4];
        within("CONNACK", stream.read_exact(&mut answer)).await.unwrap();
        // MQTT 3.1.1 section 3.2: accepted, no session present.
        assert_eq!(answer, [0x20, 2, 0, 0]);
    }
    assert!(lab.metrics().await.contains("lastmeter_broker_tls_handshakes_total 2\n"));
}
