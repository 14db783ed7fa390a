//! Who is behind a certificate, a secret of its own and the code of the first start.

use lastmeter_model::access::{Permit, Principal, Secret, SecretHash};
use lastmeter_model::document::{Edit, Expect, Transaction, kind_of_name};
use lastmeter_units::TenantName;
use serde_json::{Value, json};

use super::*;
use crate::access::NotProved;
use crate::identity::Proof;
use crate::ops::Caller;
use crate::ops::accounts::first_administrator;
use crate::port::{IngestPort as _, Presented};
use crate::tenants::Tenants;
use crate::tls::DeviceCertificate;

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn put(core: &Tenant, kind: &str, token: &str, body: Value) {
    let kind = kind_of_name(kind).unwrap();
    (kind.check)(&body).unwrap();
    let (token, expect) = (Some(token.to_owned()), Expect::Anything);
    let edits = vec![Edit { kind, token, expect, body: Some(body) }];
    let changed = core.apply(Transaction { edits, ..Transaction::default() }).await.unwrap();
    assert_eq!(changed.documents.len(), 1, "{changed:?}");
}

fn certificate(tenant: Option<&str>, device: &str) -> DeviceCertificate {
    let tenant = tenant.map(|name| TenantName::new(name).unwrap());
    DeviceCertificate { tenant, device: device.to_owned(), fingerprint: "ab".repeat(32) }
}

#[tokio::test]
async fn a_certificate_is_for_the_device_and_the_tenant_that_it_names() {
    let bench = Bench::start_with(ClockSource::Driven, |config| {
        config.device_token = Some(Token::new("shared"));
    })
    .await;
    let tenants = Tenants::of(Arc::clone(&bench.core));
    let own = Secret([7; 32]);
    let proof = json!({ "secret": SecretHash::of_machine(&own) });
    put(&bench.core, "credential", "s", json!({ "of": "device:b", "proof": proof })).await;
    let secret = own.print();
    let who = async |user_name: &str, password: &str, certificate: Option<DeviceCertificate>| {
        let (password, certificate) = (password.as_bytes(), certificate.as_ref());
        let presented = Presented { user_name, password, certificate, from: HERE };
        let found: Option<Principal> = tenants.identify(presented).await;
        found.map(|who| who.reference.to_string())
    };
    let old = |device| Some(certificate(None, device));
    let new = |device| Some(certificate(Some("default"), device));
    // An old form wants the password, and is for the first tenant alone.
    assert_eq!(who("default", "shared", old("a")).await.as_deref(), Some("devices"));
    assert_eq!(who("default", "", old("a")).await, None);
    assert_eq!(who("other", "shared", old("a")).await, None);
    // Nobody is another device by the user name.
    assert_eq!(who("default/device/b", &secret, None).await.as_deref(), Some("device:b"));
    for certificate in [old("a"), new("a")] {
        assert_eq!(who("default/device/b", &secret, certificate).await, None);
    }
    assert_eq!(who("default/device/b", &secret, old("b")).await.as_deref(), Some("device:b"));
    // One that is not known is no credential by itself; one that is wants nothing else.
    assert_eq!(who("default/device/a", "", new("a")).await, None);
    let proof = json!({ "certificate": "ab".repeat(32) });
    put(&bench.core, "credential", "c", json!({ "of": "device:a", "proof": proof })).await;
    assert_eq!(who("default/device/a", "", new("a")).await.as_deref(), Some("device:a"));
    let elsewhere = Some(certificate(Some("b"), "a"));
    for (user, certificate) in [
        ("default/device/a", elsewhere.clone()),
        ("b/device/a", elsewhere),
        ("default", new("a")),
        ("default/device/b", new("a")),
        ("default/app/a", new("a")),
    ] {
        assert_eq!(who(user, "shared", certificate).await, None, "{user}");
    }
    let revoked = json!({ "of": "device:a", "proof": proof, "revoked": "2027-01-01T00:00:00Z" });
    put(&bench.core, "credential", "c", revoked).await;
    assert_eq!(who("default/device/a", "", new("a")).await, None);
    bench.stop().await;
}

#[tokio::test]
async fn the_first_start_without_a_token_gives_one_code_until_it_is_replaced() {
    let bench = Bench::start_with(ClockSource::Driven, |config| config.token = None).await;
    let tenants = Tenants::of(Arc::clone(&bench.core));
    let caller = Caller { tenant: Arc::clone(&bench.core), who: Arc::default() };
    let old = first_administrator(&caller).await.unwrap().unwrap();
    let code = first_administrator(&caller).await.unwrap().unwrap();
    let proof = async |given: &str| {
        let user = ("admin", given.as_bytes());
        tenants.by_password(TenantName::default(), user, HERE).await.map(|found| {
            let references = found.who.iter().map(|who| who.reference.to_string());
            (found.proof, references.collect::<Vec<_>>())
        })
    };
    assert_eq!(proof(&old).await, Err(NotProved::Wrong));
    let who = ["user:admin", "platform:admin"].map(str::to_owned).to_vec();
    assert_eq!(proof(&code).await, Ok((Proof::Code, who)));
    // Without a token nobody is the bench, with an empty secret neither.
    assert!(!bench.core.is_administrators(b"") && !bench.core.is_devices(b""));
    let hash = tenants.access.passwords.hash("correct horse".to_owned()).await.unwrap();
    let body = json!({ "roles": ["tenant-admin"], "passwordHash": { "argon2id": hash } });
    put(&bench.core, "user", "admin", body).await;
    assert_eq!(first_administrator(&caller).await.unwrap(), None);
    assert_eq!(proof(&code).await, Err(NotProved::Wrong));
    assert!(matches!(proof("correct horse").await, Ok((Proof::Password(_), _))));
    bench.stop().await;
}

#[tokio::test]
async fn reading_what_others_own_is_in_the_audit_once_a_day() {
    let bench = Bench::start(ClockSource::Driven).await;
    let person = json!({ "category": "person", "name": "Ann", "user": "ann" });
    put(&bench.core, "asset", "p", person).await;
    let assignment = json!({
        "deviceHardwareId": "home", "customerId": "p", "status": "active",
        "activeDate": "1970-01-01T00:00:00Z",
    });
    put(&bench.core, "assignment", "s", assignment).await;
    store(&bench.core, &[reading("home", Some(1), 230.0), reading("free", Some(1), 230.0)]).await;
    let before = bench.core.progress.audited();
    let as_who = |reference: &str| {
        let who = Principal::of(reference.parse().unwrap(), TenantName::default());
        Caller { tenant: Arc::clone(&bench.core), who: [who].into() }
    };
    let [home, free] = ["home", "free"].map(|id| HardwareId::new(id).unwrap());
    let read = async || {
        as_who("user:ann").note_reading(&home);
        as_who("bench").note_reading(&home);
        for _ in 0..3 {
            as_who("user:adam").note_reading(&free);
            as_who("user:adam").note_reading(&home);
        }
        // What is written by somebody else's task is behind this.
        for _ in 0..10 {
            tokio::task::yield_now().await;
            bench.core.barrier().await.unwrap();
        }
        let (after, last) = (before, bench.core.progress.audited());
        let stretch = Stretch { after, limit: 100, last };
        let permit = Permit::whole_tenant();
        let (rows, _) = bench.core.readers.audit(&permit, None, stretch).await.unwrap();
        let rows = rows.into_iter().map(|row| (row.who, row.action, row.resource));
        rows.collect::<Vec<_>>()
    };
    let one = ["user:adam", "read", "device:home"].map(str::to_owned);
    let one = <(String, String, String)>::from(one);
    assert_eq!(read().await, std::slice::from_ref(&one));
    bench.core.advance(time("2027-01-19T00:00:00Z")).await.unwrap();
    assert_eq!(read().await, [one.clone(), one]);
    bench.stop().await;
}
