//! A body of each kind, with all of its fields.

use serde_json::{Value, json};

/// Name of a kind, and a body of it.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn bodies() -> Vec<(&'static str, Value)> {
    let hash = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
    let metadata = json!({"contract": "4711"});
    let place = json!({"latitude": 45.07, "longitude": 7.68, "elevation": 240.0});
    let corners = json!([
        {"latitude": 45.0, "longitude": 7.6},
        {"latitude": 45.1, "longitude": 7.6},
        {"latitude": 45.1, "longitude": 7.7},
    ]);
    let (from, until) = ("2027-01-18T17:00:00.000Z", "2027-02-18T17:00:00.000Z");
    vec![
        (
            "specification",
            json!({
                "name": "Plug", "description": "switches and measures", "quantities": [{
                    "id": "x.power", "unit": "W", "kind": "gauge", "resolution": 0.1, "accuracy": 1.5,
                }],
                "delivery": "mailbox", "presenceAfter": 3600, "reportingPeriod": 900, "networkType": "zigbee",
                "alertTypes": [{"name": "overheated", "level": "Critical"}], "strictAlerts": true,
                "metadata": metadata,
            }),
        ),
        (
            "command",
            json!({
                "specificationToken": "s-1", "name": "blink", "namespace": "http://example.org",
                "description": "blinks", "parameters": [{
                    "name": "count", "type": "Int32", "required": true, "min": 1.0, "max": 10.0,
                }, {"name": "colour", "type": "String", "choices": ["red", "blue"]}],
                "metadata": metadata,
            }),
        ),
        (
            "quantity",
            json!({"unit": "°C", "kind": "gauge", "summary": "mean", "metadata": metadata}),
        ),
        (
            "device",
            json!({
                "specificationToken": "s-1", "siteToken": "site-1", "fieldNetworkToken": "n-1",
                "nodeAddress": "00124b0001abcdef", "status": "registered", "visibility": "shared",
                "claimHash": {"sha256": hash}, "parentHardwareId": "meter 1", "name": "Kitchen",
                "room": "kitchen", "location": place, "comments": "behind the fridge",
                "metadata": metadata,
            }),
        ),
        (
            "asset",
            json!({
                "category": "person", "name": "A. Person", "properties": {"floor": "3"},
                "user": "a.person", "parentToken": "house-1", "tariffTokens": ["t-1", "t-2"],
                "metadata": metadata,
            }),
        ),
        (
            "assignment",
            json!({
                "deviceHardwareId": "meter 1", "assetId": "a-1", "siteToken": "site-1",
                "zoneToken": "z-1", "customerId": "a-2", "status": "released",
                "activeDate": from, "releasedDate": until, "metadata": metadata,
            }),
        ),
        (
            "site",
            json!({
                "name": "House", "description": "three floors", "location": place,
                "coordinates": corners, "timeZone": "Europe/Rome", "parentToken": "street",
                "metadata": metadata,
            }),
        ),
        (
            "zone",
            json!({
                "name": "Feeder 1", "siteToken": "site-1", "kind": "feeder",
                "coordinates": corners, "elementId": 17, "statistical": true,
                "parentToken": "transformer", "metadata": metadata,
            }),
        ),
        (
            "group",
            json!({
                "name": "Heaters", "description": "electric", "roles": ["heating"],
                "members": [
                    {"of": {"device": "meter 1"}, "from": from, "until": until},
                    {"of": {"group": "g-2"}, "from": from},
                ],
                "statistical": true, "metadata": metadata,
            }),
        ),
        (
            "electric_network",
            json!({
                "name": "Village", "model": "{\"version\": \"1.0\",  \"data\": {}}",
                "switches": [{"id": 3, "zoneToken": "z-1", "normal": true, "remote": true}],
                "metadata": metadata,
            }),
        ),
        (
            "topology",
            json!({
                "states": [true, false], "from": from, "by": "app:reconfiguration",
                "cause": "fault", "metadata": metadata,
            }),
        ),
        (
            "user",
            json!({
                "roles": ["user", "operator"], "fullName": "A. Person", "email": "a@example.org",
                "phone": "+39 011", "language": "it", "timeZone": "Europe/Rome", "disabled": true,
                "quietFrom": "22:00:00", "quietUntil": "07:00:00",
                "passwordHash": {"argon2id": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"},
                "resetCode": {"hash": {"sha256": hash}, "until": until}, "metadata": metadata,
            }),
        ),
        (
            "credential",
            json!({
                "of": "user:me", "name": "script", "proof": {"secret": {"sha256": hash}},
                "scope": {"actions": ["read"], "on": ["device:meter 1"], "until": until},
                "until": until, "revoked": from, "metadata": metadata,
            }),
        ),
        (
            "grant",
            json!({
                "to": "user:other", "on": "device:meter 1", "actions": ["read"],
                "quantities": ["*"], "finest": 3_600_000_000_000_i64, "with_history": true,
                "from": from, "until": until, "purpose": "advice", "by": "user:me",
                "revoked": until,
            }),
        ),
        (
            "application",
            json!({"description": "finds faults", "disabled": true, "metadata": metadata}),
        ),
        (
            "schedule",
            json!({
                "name": "night", "schedule": {
                    "kind": "calendar", "weekdays": ["mon"], "time": "22:00:00", "zone": "UTC",
                },
                "command": {"commandToken": "setBreaker", "parameterValues": {"state": "open"}},
                "target": {"group": "g-1"}, "disabled": true, "lastDue": from,
                "metadata": metadata,
            }),
        ),
        (
            "batch",
            json!({
                "command": {
                    "commandToken": "setPeriod", "parameterValues": {"seconds": "60"},
                    "expiresAfterSeconds": 60,
                },
                "target": {"zone": "z-1"}, "elementsToken": "e-1", "size": 2, "cursor": 2,
                "last": 1, "underWay": [17], "counts": {"Acknowledged": 1, "Failed": 1},
                "cancelled": true, "by": "user:me", "scheduleToken": "s-1", "metadata": metadata,
            }),
        ),
        ("batch_elements", json!({"elements": ["meter 1", "meter 2"], "metadata": metadata})),
        ("device_route", json!({"door": "http", "metadata": metadata})),
        (
            "tenant_settings",
            json!({
                "timeZone": "Europe/Rome", "currency": "EUR", "registration": "recognise",
                "refusalsPerHour": 100,
                "retentionDays": {"readings": 400, "alerts": 400, "refusals": 30, "rollups": 3650},
                "metadata": metadata,
            }),
        ),
        (
            "job",
            json!({
                "kind": "backup", "parameters": {"name": "weekly"}, "state": "done",
                "progress": 100.0, "result": "backups/weekly", "metadata": metadata,
            }),
        ),
        ("rule", rule(&metadata)),
        (
            "alarm",
            json!({
                "source": "rule:r-1", "type": "peak", "hardwareId": "meter 1", "owner": "user:me",
                "level": "Error", "text": "above 3 kW", "active": false, "count": 2,
                "first": "2027-01-18T17:00:00.000Z", "last": "2027-01-18T17:10:00.000Z",
                "ended": "2027-01-18T17:20:00.000Z", "acknowledgedBy": "user:me",
                "acknowledgedAt": "2027-01-18T17:11:00.000Z",
                "shelvedUntil": "2027-01-19T00:00:00.000Z", "metadata": metadata,
            }),
        ),
        ("tariff", tariff(&metadata)),
        ("bill", bill(&metadata)),
        (
            "feed",
            json!({
                "name": "Day ahead", "kind": "price", "quantity": "price", "unit": "EUR/kWh",
                "validFrom": from, "validUntil": until,
                "points": [["2027-01-18T17:00:00.000Z", 0.21], ["2027-01-18T18:00:00.000Z", null]],
                "metadata": metadata,
            }),
        ),
        (
            "report_plan",
            json!({
                "name": "Energy of the week", "kind": "consumption", "subject": "asset:a-2",
                "period": "week", "hour": 3, "owner": "user:me", "disabled": true,
                "runs": [{"number": 2, "at": from}], "metadata": metadata,
            }),
        ),
        ("report", report(&metadata)),
        (
            "view",
            json!({
                "name": "Heater by week", "owner": "user:me", "device": "meter 1",
                "quantity": "electricity.power.active.consumed.total", "period": "week",
                "metadata": metadata,
            }),
        ),
        (
            "notification",
            json!({
                "owner": "user:me", "channel": "webhook", "to": "https://hooks.example.org/a",
                "subject": "Peak", "text": "above 3 kW", "level": "Warning", "cause": "rule:r-1",
                "at": from, "state": "waiting", "tries": 1, "next": until, "settled": null,
                "failure": "the answer was 503", "metadata": metadata,
            }),
        ),
        (
            "field_network",
            json!({
                "type": "zigbee", "name": "Home", "description": "plugs", "location": place,
                "gatewayAddress": "00124b0001abcdef", "options": {"channel": 15},
                "owner": "user:me", "gatewayNumber": 7, "state": "registered", "sealedKey": "ab",
                "keyCheck": "7F2C", "keyMade": from, "metadata": metadata,
            }),
        ),
        ("gateway_number", json!({"gatewayAddress": "00124b0001abcdef"})),
        (
            "node",
            json!({
                "fieldNetworkToken": "n-1", "state": "joined", "address": 6699, "sleeps": true,
                "context": "0a0b",
            }),
        ),
        ("node_configuration", json!({"fieldNetworkToken": "n-1", "taken": from, "frame": "0a0b"})),
        (
            "firmware_image",
            json!({
                "name": "Plug 2.1", "manufacturer": 4660, "imageType": 1, "fileVersion": 7,
                "sha256": "ab".repeat(32), "size": 200_000, "metadata": metadata,
            }),
        ),
        ("firmware_content", json!({"data": "0a0b"})),
        (
            "firmware_transfer",
            json!({
                "image": "plug-7", "state": "refused", "why": "invalid image", "size": 96,
                "confirmedBytes": 48, "repeatedBlocks": 1, "started": from,
            }),
        ),
        ("outage_review", json!({"verdict": "rejected", "metadata": metadata})),
    ]
}

fn rule(metadata: &Value) -> Value {
    json!({
        "name": "Peak", "description": "Above 3 kW", "owner": "user:me", "disabled": true,
        "offer": { "by": "user:other", "state": "accepted" },
        "when": { "all": [
            { "any": [
                { "threshold": {
                    "device": "meter 1", "quantity": "electricity.voltage.rms.l1", "above": 240.0,
                    "hysteresis": 1.0, "heldForSeconds": 20,
                } },
                { "absence": { "device": "meter 2", "quantity": "x.a", "forSeconds": 60 } },
            ] },
            { "not": { "rate": {
                "device": "meter 1", "quantity": "x.b", "below": -1.0, "windowSeconds": 60,
            } } },
            { "time": {
                "weekdays": ["mon", "sun"], "from": "22:00:00", "until": "06:00:00",
                "zone": "Europe/Rome",
            } },
            { "alert": { "device": "meter 3", "type": "fire", "level": "Critical" } },
            { "tariff": { "tariff": "t-1", "direction": "import", "above": "0.3" } },
            { "weather": {
                "feed": "f-1", "above": 30.0, "hysteresis": 1.0, "aheadSeconds": 3600,
            } },
        ] },
        "then": [
            { "alert": { "type": "peak", "level": "Warning", "text": "high" } },
            { "alarm": { "type": "high", "level": "Error", "text": "high" } },
            { "command": {
                "device": "meter 1", "command": "setBreaker", "parameters": { "state": "open" },
            } },
            { "message": {
                "channel": "webhook", "url": "https://hooks.example.org/a", "subject": "Peak",
                "text": "above 3 kW", "level": "Warning",
            } },
        ],
        "coolDownSeconds": 600, "metadata": metadata,
    })
}

fn report(metadata: &Value) -> Value {
    let (from, until) = ("2027-01-17T23:00:00.000Z", "2027-01-24T23:00:00.000Z");
    json!({
        "plan": "p-1", "name": "Energy of the week", "kind": "TI.E", "subject": "device:meter 1",
        "owner": "user:me", "from": from, "until": until, "zone": "Europe/Rome",
        "made": "2027-01-25T02:00:00.000Z", "failure": "too-much",
        "inputs": [{
            "device": "meter 1", "readings": 670, "expected": 672, "first": from, "last": until,
        }],
        "missing": [{"what": "readings", "device": "meter 1", "count": 2}],
        "content": {"energyKwh": 61.5}, "metadata": metadata,
    })
}

fn tariff(metadata: &Value) -> Value {
    json!({
        "name": "Two zones", "currency": "EUR", "zone": "Europe/Rome",
        "validFrom": "2027-01-01T00:00:00.000Z", "validUntil": "2028-01-01T00:00:00.000Z",
        "imports": [
            { "name": "F3", "weekdays": [], "from": null, "until": null, "price": "0.18" },
            {
                "name": "F1", "weekdays": ["mon", "fri"], "from": "08:00:00", "until": "19:00:00",
                "price": "0.2215",
            },
        ],
        "exports": [{ "name": "Feed-in", "weekdays": [], "price": "0.091234" }],
        "fixed": [{ "name": "Meter", "perMonth": "3.5" }],
        "peak": { "name": "Peak", "perKwMonth": "1.75", "window": "15m" },
        "prices": [
            {
                "name": "Storm", "direction": "import", "from": "2027-01-10T12:00:00.000Z",
                "until": "2027-01-10T13:00:00.000Z", "price": "2",
            },
            {
                "direction": "import", "from": "2027-01-10T13:00:00.000Z",
                "until": "2027-01-10T13:15:00.000Z", "price": "-0.01",
            },
        ],
        "metadata": metadata,
    })
}

fn bill(metadata: &Value) -> Value {
    let (from, until) = ("2027-01-31T23:00:00.000Z", "2027-02-28T23:00:00.000Z");
    let (noon, night) = ("2027-02-10T11:00:00.000Z", "2027-02-10T22:00:00.000Z");
    json!({
        "customer": "a-2", "owner": "user:me", "from": from, "until": until, "currency": "EUR",
        "lines": [
            { "energy": {
                "meter": "meter 1", "direction": "export", "name": "Feed-in", "price": "0.1",
                "energyWh": 5000, "amount": "-0.50", "registers": [{
                    "from": from, "until": noon, "firstWh": 1000, "lastWh": 6000, "onlyTotal": true,
                }],
            } },
            { "gap": {
                "meter": "meter 1", "direction": "import", "from": noon, "until": night,
                "firstWh": 10, "lastWh": 1010, "energyWh": 1000, "missed": true,
                "prices": [
                    { "name": "F1", "price": "0.25", "amount": "0.25" },
                    { "name": "F3", "price": "0.18", "amount": "0.18" },
                ],
                "lower": "0.18", "upper": "0.25",
            } },
            { "gapOpen": {
                "meter": "meter 1", "direction": "import", "from": noon, "until": night,
                "cause": "fall", "firstWh": 10, "lastWh": 9,
            } },
            { "fixed": {
                "name": "Meter", "perMonth": "3.5", "from": from, "until": until, "days": 28,
                "daysOfMonth": 28, "amount": "3.50",
            } },
            { "peak": {
                "name": "Peak", "perKwMonth": "1.75", "from": from, "until": until, "days": 28,
                "daysOfMonth": 28, "window": noon, "lowerW": 4000, "upperW": 8000,
                "lower": "7.00", "upper": "14.00",
            } },
        ],
        "total": "3.00", "isOpen": true, "completeUntil": noon, "priceFeeds": [],
        "pricesChanged": false, "metadata": metadata,
    })
}
