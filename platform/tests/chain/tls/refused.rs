//! Who must not get in, and that everybody else goes on.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_of_an_unknown_authority_is_refused_and_reported() {
    let lab = Lab::start().await;
    let bystander = Bystander::start(&lab).await;
    let another = Authority::generate("another").unwrap();
    let identity = another.issue_device("home-1").unwrap();
    let reason = why_not(lab.options_as("home-1", Some(identity))).await;
    assert_eq!(
        reason,
        "the broker refused the TLS connection: it does not know who signed the client's \
         certificate"
    );
    let (device, detail) = lab.only_refusal("tls_unknown_authority").await;
    assert_eq!(device.as_deref(), Some("home-1"));
    assert!(detail.contains("who signed it is not trusted here"), "{detail}");
    bystander.stop(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_trust_the_platform_goes_and_that_is_counted() {
    let lab = Lab::start().await;
    let another = Authority::generate("another").unwrap();
    let mut options = lab.options("home-1");
    options.tls.as_mut().unwrap().authority_pem = another.certificate_pem().to_owned();
    let reason = why_not(options).await;
    assert_eq!(reason, "the broker's certificate is not valid: unknown authority");
    let (device, detail) = lab.only_refusal("tls_distrusted").await;
    assert_eq!(device, None);
    assert!(detail.contains("UnknownCA"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_device_certificate_is_refused_and_reported() {
    let lab = Lab::start().await;
    let expired = lab.authority.issue_device_valid("home-1", Validity::expired()).unwrap();
    let reason = why_not(lab.options_as("home-1", Some(expired))).await;
    assert_eq!(
        reason,
        "the broker refused the TLS connection: the client's certificate has expired"
    );
    let (device, detail) = lab.only_refusal("tls_expired").await;
    assert_eq!(device.as_deref(), Some("home-1"));
    assert!(detail.contains("certificate of \"home-1\": it expired 36"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_tomorrow_is_refused() {
    let lab = Lab::start().await;
    let early = lab.authority.issue_device_valid("home-1", Validity::not_yet()).unwrap();
    let reason = why_not(lab.options_as("home-1", Some(early))).await;
    assert!(reason.starts_with("the broker refused the TLS connection"), "{reason}");
    let (_, detail) = lab.only_refusal("tls_not_yet_valid").await;
    assert!(detail.contains("it is not valid yet"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_platform_is_not_trusted() {
    let lab = Lab::start_as(Validity::expired(), |_| ()).await;
    let reason = why_not(lab.options("home-1")).await;
    assert!(reason.starts_with("the broker's certificate is not valid: expired"), "{reason}");
    let (_, detail) = lab.only_refusal("tls_distrusted").await;
    assert!(detail.contains("CertificateExpired"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_of_another_name_is_not_trusted() {
    let lab = Lab::start().await;
    let mut options = lab.options("home-1");
    options.tls.as_mut().unwrap().server_name = "elsewhere.test".into();
    let reason = why_not(options).await;
    let expected = "the broker's certificate is not valid: not valid for name elsewhere.test";
    assert!(reason.starts_with(expected), "{reason}");
    lab.only_refusal("tls_distrusted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_nobody_gets_in_where_one_is_required() {
    let lab = Lab::start().await;
    let reason = why_not(lab.options_as("home-1", None)).await;
    assert_eq!(reason, "the broker refused the TLS connection: it wants a certificate");
    let (device, _) = lab.only_refusal("tls_no_certificate").await;
    assert_eq!(device, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_certificate_is_no_devices() {
    let lab = Lab::start().await;
    let server = lab.authority.issue_server(&["home-1"]).unwrap();
    let reason = why_not(lab.options_as("home-1", Some(server))).await;
    assert!(reason.starts_with("the broker refused the TLS connection"), "{reason}");
    lab.only_refusal("tls_bad_certificate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_certificate_of_another_device_nobody_gets_in_nor_throws_that_one_out() {
    let lab = Lab::start().await;
    let bystander = Bystander::start(&lab).await;
    let thief = lab.authority.issue_device("thief").unwrap();
    let reason = why_not(lab.options_as("bystander", Some(thief.clone()))).await;
    assert_eq!(reason, "the broker refused the connection: not authorised");
    let (device, detail) = lab.only_refusal("tls_wrong_identity").await;
    assert_eq!(device.as_deref(), Some("thief"));
    assert!(detail.contains("\"thief\": it connects as \"bystander\""), "{detail}");
    // The wrong case is another name; so is a name that only begins as the right one.
    for name in ["Thief", "thief ", "thief2", "thie"] {
        let reason = why_not(lab.options_as(name, Some(thief.clone()))).await;
        assert_eq!(reason, "the broker refused the connection: not authorised");
    }
    assert!(lab.counted().await["tls_wrong_identity"] >= 5);
    bystander.stop(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_with_certificate_speaks_on_no_topic_of_another() {
    let lab = Lab::start().await;
    let (session, mut events, first) = first_word(lab.options("home-1")).await;
    assert_eq!(first, SessionEvent::Connected);
    for (number, topic) in
        [(1, "default/device/home-2/input/json"), (2, "default/device/home-1/input/json")]
    {
        session.publish(number, topic, reading("home-1", number).into()).await.unwrap();
        let event = within("PUBACK", events.recv()).await;
        assert_eq!(event, Some(SessionEvent::Acknowledged { message: number }));
    }
    let (_, detail) = lab.only_refusal("topic_not_allowed").await;
    assert!(detail.contains("bound to another device than the certificate's"), "{detail}");
    assert_eq!(lab.stored(1).await[0]["serial"], 2);
    session.close().await;
}

/// What a client gets to read until the end of the connection.
async fn answer(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    within("the end of the connection", stream.read_to_end(&mut answer)).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_client_at_the_tls_port_is_closed_without_a_reset() {
    let lab = Lab::start().await;
    let bystander = Bystander::start(&lab).await;
    let plain = SessionOptions { tls: None, ..lab.options("home-1") };
    assert_eq!(why_not(plain).await, "the broker closed the connection");
    let (_, detail) = lab.only_refusal("tls_not_tls").await;
    assert!(detail.ends_with("it begins with 0x10, as plain MQTT does, not with TLS"), "{detail}");
    // Whoever has sent more than was read is not reset either, within reason.
    let mut stream = TcpStream::connect(lab.address()).await.unwrap();
    stream.write_all(&vec![b'G'; 60_000]).await.unwrap();
    assert_eq!(answer(stream).await.expect("no reset"), b"");
    assert!(lab.counted().await["tls_not_tls"] >= 2);
    bystander.stop(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_that_begins_like_tls_is_refused() {
    let lab = Lab::start().await;
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    for length in [1, 5, 6, 100, 5000] {
        let mut stream = TcpStream::connect(lab.address()).await.unwrap();
        let mut bytes = vec![22, 3, 1];
        bytes.resize_with(length + 3, || {
            // Marsaglia's xorshift; any bytes do.
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise as u8
        });
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        // Closed or reset, but over.
        let _ = answer(stream).await;
    }
    // A record that is begun and not ended is a client that went away; the others are broken.
    let metrics = lab.metrics().await;
    let abandoned = metrics.lines().find_map(|line| {
        line.strip_prefix("lastmeter_broker_tls_abandoned_total ")?.parse::<u64>().ok()
    });
    let refused: u64 = lab.counted().await.values().sum();
    assert_eq!(refused + abandoned.expect("a counter"), 5, "{metrics}");
    assert!(refused >= 1, "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_handshake_and_silence_costs_no_more_than_its_limit() {
    let lab = Lab::start_with(|config| {
        config.limits.tls_handshake_s = 1;
        config.limits.tls_handshakes = 4;
    })
    .await;
    let bystander = Bystander::start(&lab).await;
    let (config, name) = lab.options("home-1").tls.unwrap().config().unwrap();
    let mut hello = Vec::new();
    let mut client = rustls::ClientConnection::new(config, name).unwrap();
    client.write_tls(&mut hello).unwrap();
    // As many silent ones as handshakes are allowed at a time: nothing, half a hello, all of it.
    let mut silent = Vec::new();
    for length in [0, 1, hello.len() / 2, hello.len()] {
        let mut stream = TcpStream::connect(lab.address()).await.unwrap();
        stream.write_all(&hello[..length]).await.unwrap();
        silent.push(stream);
    }
    // Who comes now waits for one of them to be thrown out: by its own limit, or for this one.
    let (session, _events, first) = first_word(lab.options("home-1")).await;
    assert_eq!(first, SessionEvent::Connected);
    session.close().await;
    let rows = lab.recorded(3).await;
    assert!(rows.iter().all(|row| row["reason"] == "tls_handshake_timeout"), "{rows:?}");
    bystander.stop(&lab).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_give_way_to_devices() {
    let lab = Lab::start_with(|config| {
        config.limits.tls_handshake_s = 600;
        config.limits.tls_handshakes = 4;
    })
    .await;
    let bystander = Bystander::start(&lab).await;
    let mut silent = Vec::new();
    for number in 0..10 {
        let mut stream = TcpStream::connect(lab.address()).await.unwrap();
        if number % 2 == 0 {
            // A record of type "handshake" that is to come.
            stream.write_all(&[22, 3, 1]).await.unwrap();
        }
        silent.push(stream);
    }
    let (session, _events, first) = first_word(lab.options("home-1")).await;
    assert_eq!(first, SessionEvent::Connected);
    session.close().await;
    bystander.stop(&lab).await;
    // Four of the ten and the device have had a seat at a time, so seven have lost theirs.
    let metrics = lab.metrics().await;
    let line = "lastmeter_connections_refused_total{door=\"mqtts\",reason=\"crowded_out\"} ";
    let crowded_out = metrics.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    assert_eq!(crowded_out, "7");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_after_the_handshake_has_its_limit_too() {
    let lab = Lab::start_with(|config| config.limits.tls_handshake_s = 1).await;
    let (config, name) = lab.options("home-1").tls.unwrap().config().unwrap();
    let stream = TcpStream::connect(lab.address()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let mut stream = connector.connect(name, stream).await.unwrap();
    let mut answer = Vec::new();
    within("the end", stream.read_to_end(&mut answer)).await.expect("an orderly end");
    assert_eq!(answer, b"");
    let (device, _) = lab.only_refusal("tls_no_connect").await;
    assert_eq!(device.as_deref(), Some("home-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_allowed_are_refused_and_room_is_given_back() {
    let lab = Lab::start_with(|config| config.limits.tls_connections = 2).await;
    let (one, _one_events, first) = first_word(lab.options("home-1")).await;
    let (_two, _two_events, second) = first_word(lab.options("home-2")).await;
    assert_eq!((first, second), (SessionEvent::Connected, SessionEvent::Connected));
    let (_three, mut events, third) = first_word(lab.options("home-3")).await;
    assert!(matches!(third, SessionEvent::Disconnected { .. }), "{third:?}");
    assert!(lab.counted().await["tls_overloaded"] >= 1);
    one.close().await;
    within("room for the third", async {
        while events.recv().await.expect("a session") != SessionEvent::Connected {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_with_a_good_certificate_too() {
    let lab = Lab::start().await;
    let options = SessionOptions { password: "guess".into(), ..lab.options("home-1") };
    let reason = why_not(options).await;
    assert_eq!(reason, "the broker refused the connection: bad user name or password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_settings_are_reported_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::generate("bench").unwrap();
    let one = authority.issue_server(&[SERVER]).unwrap();
    let two = authority.issue_server(&[SERVER]).unwrap();
    let good = TlsConfig::embedded(&one.certificate_pem, &one.key_pem);
    let nowhere = Pem::File(folder.path().join("nothing.pem"));
    for (tls, words) in [
        (TlsConfig { key: Pem::Text(two.key_pem), ..good.clone() }, "cannot be used"),
        (TlsConfig { key: Pem::Text("no key".into()), ..good.clone() }, "tls.key"),
        (TlsConfig { certificate: nowhere.clone(), ..good.clone() }, "nothing.pem"),
        (TlsConfig { client_authority: Some(nowhere), ..good.clone() }, "tls.client_authority"),
        (TlsConfig { require_client_certificate: true, ..good }, "tls.client_authority"),
    ] {
        let token = Token::new(TOKEN);
        let mut config = Config::embedded(folder.path(), token, ClockSource::Wall);
        config.tls = Some(tls);
        let Err(error) = Platform::start(config).await else { panic!("it started") };
        let mut text = error.to_string();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_gives_its_place_back() {
    let lab = Lab::start_with(|config| config.limits.tls_connections = 1).await;
    for _ in 0..5 {
        let (session, events, first) = first_word(lab.options("home-1")).await;
        let mut first = first;
        let mut events = events;
        // Its last connection may still be on its way out.
        while first != SessionEvent::Connected {
            first = within("a connection", events.recv()).await.expect("a session");
        }
        // Cut, as a crash would.
        drop(session);
    }
}
