//! A platform whose stores are in PostgreSQL: faults of the server, tenants, TLS, and `psql`.

use std::error::Error as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use lastmeter_link::tls::Authority;
use lastmeter_platform::maintenance::{DataFolder, Extent};
use lastmeter_platform::{
    ClockSource, Config, Pem, Platform, PlatformError, Running, StoreConfig, TenantName, Token,
};
use serde_json::{Value, json};

use crate::common::{LIMIT, Sender, TOKEN, ask, client, read_back, reading};
use crate::postgres_server::{Server, postgres_for_tests};

fn config(folder: &Path, url: &str) -> Config {
    let mut config = Config::embedded(folder, Token::new(TOKEN), ClockSource::Wall);
    config.store = StoreConfig::postgres(url);
    config
}

async fn start(folder: &Path, server: &Server) -> Running {
    Platform::start(config(folder, &server.connection())).await.expect("a platform")
}

/// All messages of an error.
fn in_full(error: &PlatformError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn send(platform: &Running, serials: std::ops::RangeInclusive<u64>) {
    let mut sender = Sender::open(platform.mqtt_address(), "sender");
    serials.for_each(|serial| sender.queue(serial, reading("meter", serial)));
    sender.run(|_| false).await;
    sender.close().await;
}

async fn get(platform: &Running, path: &str) -> (u16, Value) {
    ask(platform, "GET", path, None, TOKEN).await
}

/// Asks until the status is this one.
async fn until(platform: &Running, path: &str, status: u16) -> Value {
    let asking = async {
        loop {
            let answer = get(platform, path).await;
            if answer.0 == status {
                return answer.1;
            }
        }
    };
    tokio::time::timeout(LIMIT, asking).await.expect("an answer with this status")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_reported_and_nothing_acknowledged_is_lost() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), &server).await;
    send(&platform, 1..=50).await;
    until(&platform, "/api/v1/readings?after=49&wait_ms=10000", 200).await;

    server.control(&["-m", "fast", "stop"]);
    // The journal has them, so they are acknowledged.
    send(&platform, 51..=100).await;
    let mut detail = String::new();
    while !detail.contains("PostgreSQL server at /") {
        // First the connection is closed, then there is none.
        until(&platform, "/readyz", 503).await["detail"].as_str().unwrap().clone_into(&mut detail);
    }
    let (status, problem) = get(&platform, "/api/v1/readings").await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!((status, &problem["code"]), (503, &"store_unavailable".into()));
    assert!(detail.contains("database of the store does not answer"), "{detail}");
    let site = json!({ "name": "n" });
    let refused = ask(&platform, "POST", "/sitewhere/api/sites", Some(&site), TOKEN);
    // Nothing is acknowledged that is not stored.
    let refused = tokio::time::timeout(Duration::from_secs(3), refused).await;
    assert!(refused.is_err() || refused.unwrap().0 >= 500);

    // A start meanwhile names the server and what to do.
    let other = tempfile::tempdir().unwrap();
    let error = Platform::start(config(other.path(), &server.connection())).await.err().unwrap();
    let message = in_full(&error);
    assert!(
        message.contains("PostgreSQL server at /") && message.contains("store.url"),
        "{message}"
    );

    server.control(&["start"]);
    until(&platform, "/readyz", 200).await;
    until(&platform, "/api/v1/readings?after=99&wait_ms=10000", 200).await;
    let rows = read_back(&client(platform.rest_address()), "/api/v1/readings").await;
    let serials: Vec<_> = rows.iter().map(|row| row["serial"].as_u64().unwrap()).collect();
    assert_eq!(serials, (1..=100).collect::<Vec<_>>());

    // Restarted under load: every connection is renewed.
    server.control(&["-m", "immediate", "restart"]);
    send(&platform, 101..=150).await;
    until(&platform, "/readyz", 200).await;
    let found = until(&platform, "/api/v1/readings?after=149&wait_ms=10000", 200).await;
    assert_eq!(found["results"][0]["serial"], 150);
    platform.shutdown().await;
    let readings = r#"SELECT count(*), max(serial), "values"[1] FROM t_default.reading
                      JOIN t_default.device d ON d.id = device WHERE hardware_id = 'meter'
                      GROUP BY "values"[1] HAVING max(serial) = 10"#;
    assert_eq!(server.psql(readings), "1|10|1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_has_a_schema_of_its_own_that_goes_with_it() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), &server).await;
    let schemas = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace
                   WHERE nspname LIKE 't\\_%'";
    server.psql("CREATE SCHEMA t_c");
    let tenants = "/api/v1/tenants";
    let named = |name: &str| json!({ "name": name, "driven": false, "limits": {} });
    assert_eq!(ask(&platform, "POST", tenants, Some(&named("b")), TOKEN).await.0, 201);
    assert_eq!(server.psql(schemas), "t_b t_c t_default");
    let taken = ask(&platform, "POST", tenants, Some(&named("c")), TOKEN).await;
    assert_eq!(taken.0, 409);
    assert!(taken.1["detail"].as_str().unwrap().contains("schema t_c"), "{taken:?}");
    let removed = ask(&platform, "DELETE", "/api/v1/tenants/b", None, TOKEN).await;
    assert_eq!(removed.0, 200, "{removed:?}");
    assert_eq!(server.psql(schemas), "t_c t_default");
    platform.shutdown().await;

    // A tenant is in one kind of store: the other one does not begin with nothing.
    let file = Config::embedded(folder.path(), Token::new(TOKEN), ClockSource::Wall);
    let message = in_full(&Platform::start(file).await.err().unwrap());
    assert!(message.contains("store.kind = \"postgres\""), "{message}");
    let folder = tempfile::tempdir().unwrap();
    crate::common::start(folder.path()).await.shutdown().await;
    let error = Platform::start(config(folder.path(), &server.connection())).await.err().unwrap();
    assert!(in_full(&error).contains("store.kind = \"sqlite\""), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_a_file_is_imported_into_a_schema_and_back() {
    let Some(server) = postgres_for_tests(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let platform = crate::common::start(&place("file")).await;
    send(&platform, 1..=120).await;
    let site = json!({ "token": "north", "name": "North" });
    let made = ask(&platform, "POST", "/sitewhere/api/sites", Some(&site), TOKEN).await;
    assert_eq!(made.0, 201, "{made:?}");
    platform.shutdown().await;
    let (tenant, url) = (TenantName::default(), server.connection());
    let file = |name: &str| Config::embedded(&place(name), Token::new(TOKEN), ClockSource::Wall);
    let exported = async |config: Config, to: &str| {
        let out = DataFolder::open(config).unwrap().export(&tenant, &place(to), false).await;
        out.unwrap().rows
    };
    let rows = exported(file("file"), "one").await;
    assert_eq!((rows["readings.jsonl"], rows["documents.jsonl"]), (120, 1));
    for (config, from, to) in
        [(config(&place("schema"), &url), "one", "two"), (file("again"), "two", "three")]
    {
        std::fs::create_dir_all(&config.data).unwrap();
        for new in [rows.clone(), rows.keys().map(|name| (name.clone(), 0)).collect()] {
            let folder = DataFolder::open(config.clone()).unwrap();
            let done = folder.import(&tenant, &place(from)).await.unwrap();
            assert_eq!((done.rows, done.refused), (new, 0));
            let found = folder.verify(&tenant, Extent::Everything).await.unwrap();
            assert!(found.findings.is_empty(), "{found:?}");
        }
        assert_eq!(exported(config, to).await, rows);
    }
    let content = |folder: &str| {
        let text = std::fs::read_to_string(place(folder).join("readings.jsonl")).unwrap();
        // When it came is another time each time.
        let lines = text.lines().map(|line| line.split(",\"received\"").next().unwrap().to_owned());
        lines.collect::<std::collections::BTreeSet<_>>()
    };
    // Messages of an import become durable together, in any order.
    for to in ["two", "three"] {
        assert!(content("one") == content(to), "one and {to}");
    }

    let folder = DataFolder::open(config(&place("schema"), &url)).unwrap();
    let error = folder.back_up(&tenant, &place("backup")).await.unwrap_err();
    assert!(in_full(&error).contains("pg_dump --schema='\"t_default\"'"), "{error}");
    server.psql("DELETE FROM t_default.reading WHERE sequence = 60");
    server.psql("UPDATE t_default.audit SET who = 'user:bob'");
    let found = folder.verify(&tenant, Extent::Everything).await.unwrap();
    let kinds: Vec<_> = found.findings.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["audit_chain", "damaged_store"], "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_known_by_its_authority() {
    let Some(server) = postgres_for_tests(false) else { return };
    let authority = |name| Authority::generate(name).unwrap();
    let (authority, stranger) = (authority("ours"), authority("another"));
    let own = authority.issue_server(&["localhost"]).unwrap();
    server.secret("own.pem", &own.certificate_pem);
    server.secret("own.key", &own.key_pem);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.psql("CREATE ROLE metering LOGIN PASSWORD 'a secret'; GRANT CREATE ON DATABASE postgres TO metering");
    server
        .secret("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    server.restart_with(&format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\nssl_cert_file = 'own.pem'\n\
         ssl_key_file = 'own.key'\n"
    ));
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "a secret\n").unwrap();
    let config = |authority: Option<&Authority>| {
        let url = format!("postgresql://metering@localhost:{port}/postgres");
        let mut config = config(&folder.path().join("data"), &url);
        config.store.password_file = Some(password.clone());
        config.store.server_authority =
            authority.map(|one| Pem::Text(one.certificate_pem().to_owned()));
        config
    };
    let platform = Platform::start(config(Some(&authority))).await.expect("a platform");
    send(&platform, 1..=1).await;
    assert_eq!(
        until(&platform, "/api/v1/readings?wait_ms=9000", 200).await["results"][0]["serial"],
        1
    );
    platform.shutdown().await;
    for wrong in [Some(&stranger), None] {
        let message = in_full(&Platform::start(config(wrong)).await.err().unwrap());
        assert!(message.contains("cannot be reached"), "{message}");
        println!("{message}");
    }
}
