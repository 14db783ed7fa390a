//! A document of each kind, that a tenant in tests has.

use super::super::*;

/// Of nobody's password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

/// A document of each kind.
pub(super) fn documents() -> Vec<(&'static str, Value)> {
    vec![
        ("user", json!({ "roles": ["tenant-admin"], "passwordHash": { "argon2id": HASH } })),
        ("specification", json!({ "name": "s", "delivery": "mailbox" })),
        ("command", json!({ "specificationToken": "d-specification", "name": "c" })),
        (
            "rule",
            json!({
                "name": "r", "owner": "user:bob", "when": { "alert": { "device": "m-bobs" } },
                "then": [{ "alert": { "type": "a", "level": "Info", "text": "" } }],
            }),
        ),
        (
            "report_plan",
            json!({
                "name": "p", "kind": "NILM", "subject": "device:m-bobs", "period": "day",
                "owner": "user:bob",
            }),
        ),
        ("quantity", json!({ "unit": "K", "kind": "gauge", "summary": "mean" })),
        ("site", json!({ "name": "s" })),
        ("zone", json!({ "name": "z", "kind": "feeder" })),
        ("electric_network", json!({ "name": "n", "model": "{}" })),
        ("group", json!({ "name": "g" })),
        ("application", json!({ "description": "a" })),
        (
            "tariff",
            json!({
                "name": "t", "currency": "EUR", "zone": "UTC", "validFrom": SimTime(0),
                "imports": [{ "name": "F0", "price": "0.2" }],
            }),
        ),
        (
            "view",
            json!({
                "name": "v", "device": "m-bobs", "quantity": "x", "period": "day",
                "owner": "user:bob",
            }),
        ),
        (
            "feed",
            json!({
                "name": "f", "kind": "weather", "quantity": "temperature", "unit": "C",
                "validFrom": SimTime(0), "validUntil": SimTime(1), "points": [[SimTime(0), 4.0]],
            }),
        ),
    ]
}
