//! The product of routes, principals and devices over whole requests: no answer shows what is not
//! for who asks, and what is hidden is answered as what is not there, after as many look-ups.

use lastmeter_model::access::{Decision, may_subscribe};
use lastmeter_model::standing::Totals;

use super::super::super::routes::{Access, Route, Verb};
use super::super::super::{cursor, documents};
use super::super::*;
use super::samples::documents as sample_documents;
use super::world::{
    ABSENT, Answered, DEVICES, ERAS, Row, SampleTenant, What, eras, grant_token, is_given, is_seen,
    marker, now, of_tenant,
};
use super::{Principal, TenantName, all, principals};

/// Route, request, what it is about, what it shows of a device, and whether only the newest of it.
type Read = (&'static str, &'static str, Row, &'static [What], bool);

/// Requests that read data, by route; `{d}` is a device, `{t}` its assignment, `{i}` a command.
const READS: &[Read] = {
    use What::{Alert, Amperes, Block, Command, Result as Concluded, Volts};
    const DEVICES: &str = "/sitewhere/api/devices";
    const ONE: &str = "/sitewhere/api/assignments/{token}";
    &[
        (DEVICES, "/sitewhere/api/devices?pageSize=1000", Row::Device, &[], false),
        (
            "/sitewhere/api/devices/{hardwareId}",
            "/sitewhere/api/devices/{d}",
            Row::Device,
            &[],
            false,
        ),
        (
            "/sitewhere/api/devices/{hardwareId}/assignment",
            "/sitewhere/api/devices/{d}/assignment",
            Row::Latest,
            &[Volts, Amperes, Alert],
            true,
        ),
        (ONE, "/sitewhere/api/assignments/{t}", Row::Latest, &[Volts, Amperes, Alert], true),
        (
            "/sitewhere/api/assignments/{token}/measurements",
            "/sitewhere/api/assignments/{t}/measurements",
            Row::Series,
            &[Volts, Amperes],
            false,
        ),
        (
            "/sitewhere/api/assignments/{token}/measurements/series",
            "/sitewhere/api/assignments/{t}/measurements/series",
            Row::Series,
            &[Volts, Amperes],
            false,
        ),
        ("/api/v1/series", "/api/v1/series?device={d}", Row::Series, &[Volts, Amperes], false),
        (
            "/api/v1/series",
            "/api/v1/series?device={d}&width=1h",
            Row::Hours,
            &[Volts, Amperes],
            false,
        ),
        (
            "/api/v1/series",
            "/api/v1/series?device={d}&measurementId=electricity.voltage.rms.l1",
            Row::Series,
            &[Volts],
            false,
        ),
        (
            "/api/v1/observations",
            "/api/v1/observations?device={d}",
            Row::Series,
            &[Volts, Amperes],
            false,
        ),
        ("/api/v1/latest", "/api/v1/latest", Row::Latest, &[Volts, Amperes], true),
        ("/api/v1/latest", "/api/v1/latest?device={d}", Row::Latest, &[Volts, Amperes], true),
        ("/api/v1/live", "/api/v1/live", Row::Live, &[Volts, Amperes, Alert], false),
        ("/api/v1/live", "/api/v1/live?devices={d}", Row::Live, &[Volts, Amperes, Alert], false),
        ("/api/v1/export", "/api/v1/export", Row::Export, &[Volts, Amperes], false),
        ("/api/v1/export", "/api/v1/export?what=alerts", Row::Export, &[Alert], false),
        ("/api/v1/export", "/api/v1/export?device={d}", Row::Export, &[Volts, Amperes], false),
        (
            "/api/v1/export",
            "/api/v1/export?device={d}&format=csv",
            Row::Export,
            &[Volts, Amperes],
            false,
        ),
        ("/api/v1/blocks", "/api/v1/blocks", Row::Block, &[Block], false),
        ("/api/v1/blocks", "/api/v1/blocks?device={d}", Row::Block, &[Block], false),
        ("/api/v1/results", "/api/v1/results?limit=1000", Row::Result, &[Concluded], false),
        ("/api/v1/results", "/api/v1/results?device={d}", Row::Result, &[Concluded], false),
        (
            "/sitewhere/api/assignments/{token}/invocations",
            "/sitewhere/api/assignments/{t}/invocations",
            Row::Command,
            &[Command],
            false,
        ),
        (
            "/sitewhere/api/invocations/{id}",
            "/sitewhere/api/invocations/{i}",
            Row::Command,
            &[Command],
            false,
        ),
        (
            "/sitewhere/api/invocations/{id}/summary",
            "/sitewhere/api/invocations/{i}/summary",
            Row::Command,
            &[],
            false,
        ),
        (
            "/sitewhere/api/invocations/{id}/responses",
            "/sitewhere/api/invocations/{i}/responses",
            Row::Command,
            &[],
            false,
        ),
        (
            "/sitewhere/api/assignments/{token}/alerts",
            "/sitewhere/api/assignments/{t}/alerts",
            Row::Alert,
            &[Alert],
            false,
        ),
        (
            "/sitewhere/api/assignments/{token}/locations",
            "/sitewhere/api/assignments/{t}/locations",
            Row::Alert,
            &[],
            false,
        ),
        (
            "/sitewhere/api/devices/{hardwareId}/history",
            "/sitewhere/api/devices/{d}/history",
            Row::Device,
            &[],
            false,
        ),
        (
            "/sitewhere/api/devices/{hardwareId}/assignments",
            "/sitewhere/api/devices/{d}/assignments",
            Row::Assignment,
            &[],
            false,
        ),
        (
            "/sitewhere/api/invocations/{id}/summary",
            "/sitewhere/api/invocations/{i}/summary",
            Row::Command,
            &[],
            false,
        ),
        (
            "/sitewhere/api/invocations/{id}/responses",
            "/sitewhere/api/invocations/{i}/responses",
            Row::Command,
            &[],
            false,
        ),
    ]
};

/// What everybody is granted of electric networks that there are: only an application is shown it.
const NETWORKS: [(&str, &str); 3] =
    [("d-electric_network", ""), ("n-lent", "read"), ("n-part", "outline")];

/// Who may read documents of a kind that all of a tenant's are shown of.
const DOCUMENTS: [(&str, &str); 13] = [
    ("specification", "user utility operator admin app device devices gateway bench"),
    ("command", "user utility operator admin app device devices gateway bench"),
    ("quantity", "user utility operator admin app device devices gateway bench"),
    ("site", "utility operator admin app bench"),
    ("zone", "utility operator admin app bench"),
    ("electric_network", "utility operator admin bench"),
    ("group", "operator admin bench"),
    ("application", "admin bench"),
    ("rule", "admin bench"),
    ("report_plan", "admin bench"),
    ("view", "admin bench"),
    ("tariff", "anonymous user utility operator admin app device devices gateway bench"),
    ("feed", "anonymous user utility operator admin app device devices gateway bench"),
];

/// What a person was told.
fn notification(person: &str) -> Value {
    json!({
        "owner": format!("user:{person}"), "channel": "email", "subject": "s", "text": "t",
        "level": "Info", "cause": "rule:r", "at": SimTime(0), "state": "sent",
        "settled": SimTime(1),
    })
}

/// The route of one block, which `Product::blocks` asks for.
const BLOCK: &str = "/api/v1/blocks/{device}/{epoch}/{serial}";

/// A bill of a person, which names a meter.
fn bill(person: &str, meter: &str) -> Value {
    let (from, until) = ("2027-01-01T00:00:00.000Z", "2027-02-01T00:00:00.000Z");
    let registers = json!([{ "from": from, "until": until, "firstWh": 0, "lastWh": 5000 }]);
    let line = json!({
        "meter": meter, "direction": "import", "name": "F0", "price": "0.2", "energyWh": 5000,
        "amount": "1.00", "registers": registers,
    });
    json!({
        "customer": person, "owner": format!("user:{person}"), "from": from, "until": until,
        "currency": "EUR", "lines": [{ "energy": line }], "total": "1.00", "isOpen": false,
        "completeUntil": until,
    })
}

/// An answer without where the next page begins: that is salted.
fn without_position(body: &str) -> String {
    let Some((_, behind)) = body.split_once(r#""next":""#) else { return body.to_owned() };
    body.replace(behind.split('"').next().unwrap(), "-")
}

/// A principal before a world: its kind, which is none of the tenant's where it is another's.
struct Seat<'a> {
    name: &'a str,
    who: Principal,
}

/// Whether a route reads something that `READS` and the kinds of documents do not have.
fn is_other(route: &Route) -> bool {
    let is_read = route.method == Verb::Get && matches!(route.access, Access::Within(..));
    let is_asked = READS.iter().any(|(path, ..)| *path == route.path)
        || route.path == BLOCK
        || documents::PATHS.iter().any(|(path, _)| route.path.starts_with(path));
    is_read && !is_asked
}

/// Whether somebody is answered about a device.
fn is_answered(seat: &Seat<'_>, (_, template, row, ..): &Read, device: &str, era: i64) -> bool {
    if template.contains("{i}") {
        return is_given(seat.name, device, era, What::Command, *row);
    }
    is_seen(seat.name, device, *row)
}

/// What a stream of a device has for who asks.
fn wanted(seat: &Seat<'_>, (_, _, row, shows, _): &Read, device: &str) -> Vec<String> {
    let all = ERAS.into_iter().flat_map(|era| shows.iter().map(move |what| (era, *what)));
    let given = all.filter(|(era, what)| is_given(seat.name, device, *era, *what, *row));
    given.map(|(era, what)| marker(device, era, what)).collect()
}

/// Checks that what is for who asks is there.
fn check_whole(
    seat: &Seat<'_>,
    (_, template, row, shows, is_newest): &Read,
    (device, era): (&str, i64),
    told: &Answered,
) {
    let eras = match (template.contains("{i}"), is_newest) {
        (true, _) => vec![era],
        (false, true) => vec![3],
        (false, false) => ERAS.to_vec(),
    };
    for (era, what) in eras.iter().flat_map(|era| shows.iter().map(|what| (*era, *what))) {
        let marker = marker(device, era, what);
        let is_there = told.body.contains(&marker);
        let is_given = is_given(seat.name, device, era, what, *row);
        assert!(is_there || !is_given, "{} {template}: {marker}: {told:?}", seat.name);
    }
}

/// Everything that an answer can show.
const WHATS: [What; 6] =
    [What::Volts, What::Amperes, What::Alert, What::Command, What::Block, What::Result];

struct Product {
    world: SampleTenant,
    cells: usize,
    shown: usize,
    alike: usize,
}

impl Product {
    /// The names in a path for a device.
    fn named(&self, device: &str, era: i64) -> [(&'static str, String); 3] {
        let row = self.world.bench.core.devices.find(device);
        let nobodys = "00000000-0000-0000-0000-000000000000".to_owned();
        let command = self.world.invocations.get(&(device.to_owned(), era));
        let command = command.map_or("0".repeat(24), ToString::to_string);
        [
            ("{d}", device.to_owned()),
            ("{t}", row.map_or(nobodys, |row| row.assignment)),
            ("{i}", command),
        ]
    }

    /// Checks that an answer shows nothing that is not for who asks.
    fn check(&mut self, seat: &Seat<'_>, row: Row, path: &str, told: &Answered) {
        self.cells += 1;
        assert!(told.status < 500, "{} {path}: {told:?}", seat.name);
        let text = format!("{}{}", told.headers, told.body);
        for device in DEVICES {
            for (era, what) in ERAS.into_iter().flat_map(|era| WHATS.map(|what| (era, what))) {
                if text.contains(&marker(device, era, what)) {
                    self.shown += 1;
                    let is_given = is_given(seat.name, device, era, what, row);
                    assert!(is_given, "{} {path}: {device} {era} {what:?}: {text}", seat.name);
                }
            }
            let rows = [Row::Device, Row::Latest, Row::Hours, Row::Command, row];
            let is_known = rows.iter().any(|row| is_seen(seat.name, device, *row));
            // Grants to somebody name what they are on.
            let is_granted = path.starts_with("/api/v1/grants")
                && ["user", "app"].contains(&seat.name)
                && DEVICES[6..].contains(&device);
            let is_named = text.contains(device) && !path.contains(device) && !is_granted;
            assert!(!is_named || is_known, "{} {path}: {device}: {text}", seat.name);
        }
    }

    /// Checks that something is answered as what is not there.
    fn alike(&mut self, seat: &Seat<'_>, path: &str, [told, absent]: [(&Answered, &str); 2]) {
        let plain = |(told, name): (&Answered, &str)| Answered {
            headers: told.headers.replace(name, "@"),
            body: without_position(&told.body).replace(name, "@"),
            ..told.clone()
        };
        assert_eq!(plain(told), plain(absent), "{} {path}", seat.name);
        assert!([200, 401, 403, 404].contains(&told.0.status), "{} {path}: {told:?}", seat.name);
        self.alike += 1;
    }

    async fn reads(&mut self, seat: &Seat<'_>) {
        for read in READS {
            let (_, template, ..) = read;
            let of_device = template.contains('{');
            let devices = if of_device { &DEVICES[..] } else { &[ABSENT] };
            let eras = if template.contains("{i}") { &ERAS[..] } else { &ERAS[..1] };
            for (device, era) in
                devices.iter().flat_map(|one| eras.iter().map(move |era| (*one, *era)))
            {
                let (names, path) = self.filled(template, device, era);
                // Of what is public lists have nothing.
                let asked = if of_device { &[device][..] } else { &DEVICES[..4] };
                self.world.wanted = match read.2 {
                    Row::Live => asked.iter().flat_map(|one| wanted(seat, read, one)).collect(),
                    _ => Vec::new(),
                };
                let told = self.get(seat, &path).await;
                self.check(seat, read.2, &path, &told);
                for device in asked {
                    check_whole(seat, read, (device, era), &told);
                }
                if of_device && device != ABSENT && !is_answered(seat, read, device, era) {
                    self.hidden(seat, read, (device, &names, &path), &told).await;
                }
            }
        }
    }

    /// The name in a path for a device, and the path.
    fn filled(&self, template: &str, device: &str, era: i64) -> (String, String) {
        let names = self.named(device, era);
        let name = names.iter().find(|(name, _)| template.contains(name));
        let name = name.map_or_else(String::new, |(_, value)| value.clone());
        let fill = |path: String, (name, value): &(&str, String)| path.replace(name, value);
        (name, names.iter().fold(template.to_owned(), fill))
    }

    /// A read, of a live stream from the beginning on.
    async fn get(&self, seat: &Seat<'_>, path: &str) -> Answered {
        let begin =
            [cursor::Kind::Readings, cursor::Kind::Alerts].map(|kind| cursor::seal(kind, 0));
        let headers = [("last-event-id", &*begin.join("."))];
        self.world.ask_with(&seat.who, ("GET", path), &headers, "").await
    }

    /// Checks that what is hidden is answered as what is not there.
    async fn hidden(
        &mut self,
        seat: &Seat<'_>,
        (_, template, row, ..): &Read,
        (device, name, path): (&str, &str, &str),
        told: &Answered,
    ) {
        if told.status == 403 {
            // Who sees the device may learn that this is not for them.
            assert!(!eras(seat.name, device, Row::Device).is_empty(), "{} {path}", seat.name);
            return;
        }
        let (nobodys, absent) = self.filled(template, ABSENT, 1);
        self.world.wanted.clear();
        let other = self.get(seat, &absent).await;
        if *row == Row::Live {
            // Positions are salted, and a stream looks at whatever is committed.
            let events = |told: &Answered| told.body.matches("data:").count();
            assert_eq!((events(told), told.status), (events(&other), other.status), "{path}");
            return;
        }
        self.alike(seat, path, [(told, name), (&other, &nobodys)]);
    }

    async fn documents(&mut self, seat: &Seat<'_>) {
        for (path, kind) in documents::PATHS {
            let list = self.world.ask(&seat.who, "GET", path).await;
            self.check(seat, Row::Device, path, &list);
            let (tokens, readers): (Vec<String>, &str) = match *kind {
                "grant" => {
                    let to = principals(&TenantName::default()).into_iter();
                    let of = |who: Principal| grant_token("m-lent", &who.reference);
                    (to.map(|(_, who)| of(who)).collect(), "bench")
                }
                "asset" => (vec!["ann".to_owned(), "bob".to_owned()], "admin bench"),
                "tenant_settings" | "schedule" => continue,
                _ => {
                    let known = DOCUMENTS.iter().find(|(name, _)| name == kind);
                    let own = if *kind == "electric_network" { &NETWORKS[1..] } else { &[] };
                    let own = own.iter().map(|(token, _)| (*token).to_owned());
                    let tokens = std::iter::once(format!("d-{kind}")).chain(own);
                    (tokens.collect(), known.unwrap().1)
                }
            };
            for token in tokens {
                let is_own = match *kind {
                    "grant" => {
                        let own = grant_token("m-lent", &seat.who.reference);
                        token == own && ["user", "app"].contains(&seat.name)
                    }
                    "asset" => seat.name == "user" && token == "ann",
                    "electric_network" => seat.name == "app" && token == "n-lent",
                    _ => false,
                };
                let is_seen = is_own || readers.split(' ').any(|one| one == seat.name);
                let is_listed = list.body.contains(&format!("\"{token}\""));
                assert_eq!(is_listed, is_seen, "{} {path}: {token}: {list:?}", seat.name);
                let absent = token.chars().map(|_| 'x').collect::<String>();
                for end in ["", "/history"] {
                    let one = format!("{path}/{token}{end}");
                    let told = self.world.ask(&seat.who, "GET", &one).await;
                    self.check(seat, Row::Device, &one, &told);
                    assert_eq!(told.status == 200, is_seen, "{} {one}: {told:?}", seat.name);
                    if !is_seen && told.status != 403 {
                        let none = format!("{path}/{absent}{end}");
                        let none = self.world.ask(&seat.who, "GET", &none).await;
                        self.alike(seat, &one, [(&told, &token), (&none, &absent)]);
                    }
                }
            }
        }
    }

    /// Models of electric networks, and states of their switches.
    async fn electric_networks(&mut self, seat: &Seat<'_>) {
        let is_reader = ["utility", "operator", "admin", "bench"].contains(&seat.name);
        for ((token, granted), end) in NETWORKS
            .iter()
            .flat_map(|one| ["model", "topology", "topology/history"].map(|end| (one, end)))
        {
            let is_granted = *granted == "read" || *granted == "outline" && end != "model";
            let is_seen = is_reader || seat.name == "app" && is_granted;
            let path = |token: &str| format!("/api/v1/electric-networks/{token}/{end}");
            let told = self.world.ask(&seat.who, "GET", &path(token)).await;
            self.check(seat, Row::Device, &path(token), &told);
            assert_eq!(told.status == 200, is_seen, "{} {token}/{end}: {told:?}", seat.name);
            if !is_seen && told.status != 403 {
                let absent = "x".repeat(token.len());
                let none = self.world.ask(&seat.who, "GET", &path(&absent)).await;
                self.alike(seat, &path(token), [(&told, token), (&none, &absent)]);
            }
        }
    }

    /// Bills, and drafts of them: each is its owner's and the administrators'.
    async fn bills(&mut self, seat: &Seat<'_>) {
        let list = self.world.ask(&seat.who, "GET", "/api/v1/bills").await;
        self.check(seat, Row::Device, "/api/v1/bills", &list);
        for person in ["ann", "bob"] {
            let is_own = seat.name == "user" && person == "ann";
            let is_seen = is_own || ["admin", "bench"].contains(&seat.name);
            let is_listed = list.body.contains(&format!("\"{person}-2027-01\""));
            assert_eq!(is_listed, is_seen, "{}: {person}: {list:?}", seat.name);
            for path in [
                "/api/v1/bills/{p}-2027-01",
                "/api/v1/bills/{p}-2027-01/history",
                "/api/v1/bills/draft?customer={p}&month=2027-01",
            ] {
                let [one, none] = [person, "eve"].map(|name| path.replace("{p}", name));
                let told = self.world.ask(&seat.who, "GET", &one).await;
                self.check(seat, Row::Device, &one, &told);
                // Nobody's meters have a register here.
                let is_given = [200, 409].contains(&told.status);
                assert_eq!(is_given, is_seen, "{} {one}: {told:?}", seat.name);
                if !is_seen {
                    let none = self.world.ask(&seat.who, "GET", &none).await;
                    self.alike(seat, &one, [(&told, person), (&none, "eve")]);
                }
            }
        }
    }

    /// Notifications: each is its owner's and the administrators'.
    async fn notifications(&mut self, seat: &Seat<'_>) {
        let list = self.world.ask(&seat.who, "GET", "/api/v1/notifications").await;
        self.check(seat, Row::Device, "/api/v1/notifications", &list);
        for person in ["ann", "bob"] {
            let is_own = seat.name == "user" && person == "ann";
            let is_seen = is_own || ["admin", "bench"].contains(&seat.name);
            let token = format!("n-{person}");
            assert_eq!(list.body.contains(&token), is_seen, "{}: {list:?}", seat.name);
            let path = format!("/api/v1/notifications/{token}");
            let told = self.world.ask(&seat.who, "GET", &path).await;
            self.check(seat, Row::Device, &path, &told);
            assert_eq!(told.status == 200, is_seen, "{} {path}: {told:?}", seat.name);
            if told.status == 404 {
                let none = self.world.ask(&seat.who, "GET", "/api/v1/notifications/n-eve").await;
                self.alike(seat, &path, [(&told, &token), (&none, "n-eve")]);
            }
        }
    }

    /// Everything that changes something, or reads all of the tenant, is refused to who may not.
    async fn writes(&mut self, seat: &Seat<'_>) {
        if ["bench", "admin", "operator", "platform"].contains(&seat.name) {
            return;
        }
        let is_within = |route: &&Route| matches!(route.access, Access::Within(..));
        let is_closed = |route: &&Route| {
            !route.access.is_open() && (route.method != Verb::Get || !is_within(route))
        };
        let mut taken = Vec::new();
        for route in all().filter(is_closed) {
            let index = match route.path {
                path if path.starts_with("/sitewhere/api/assignments") => 1,
                path if path.starts_with("/sitewhere/api/invocations") => 2,
                _ => 0,
            };
            let of = |device| self.named(device, 1)[index].1.clone();
            let (mut token, mut absent) = (of("m-bobs"), of(ABSENT));
            if let Some((_, kind)) =
                documents::PATHS.iter().find(|(path, _)| route.path.starts_with(path))
            {
                token = match *kind {
                    "grant" => grant_token("m-lent", &seat.who.reference),
                    "asset" => "ann".to_owned(),
                    kind => format!("d-{kind}"),
                };
                absent = "x".repeat(token.len());
            }
            let path = |token: &str| match route.variables().next() {
                Some(name) => route.path.replace(&format!("{{{name}}}"), token),
                None => route.path.to_owned(),
            };
            let one = path(&token);
            let told = self.world.ask(&seat.who, route.method.word(), &one).await;
            self.check(seat, Row::Device, &one, &told);
            let is_refused = (400..500).contains(&told.status);
            // What has nothing in it is sent for every device that has no secret of its own.
            let is_empty = seat.name == "devices"
                && (route.path == "/api/v1/import" || route.path.ends_with("/batch"));
            if !is_refused && !is_empty {
                taken.push(format!("{} {} {one}: {told:?}", seat.name, route.method.word()));
            }
            if told.status == 404 {
                let other = self.world.ask(&seat.who, route.method.word(), &path(&absent)).await;
                self.alike(seat, &one, [(&told, &token), (&other, &absent)]);
            }
        }
        assert!(taken.is_empty(), "{}", taken.join("\n"));
    }

    /// Reads that are of no device and no kind of document, each about oneself; a command, a batch
    /// or a user that is named there does not exist or is somebody else's.
    async fn others(&mut self, seat: &Seat<'_>) {
        for route in all().filter(|route| is_other(route)) {
            let path = match route.variables().next() {
                Some(name) => route.path.replace(&format!("{{{name}}}"), "bob"),
                None => route.path.to_owned(),
            };
            let told = self.world.ask(&seat.who, "GET", &path).await;
            self.check(seat, Row::Device, &path, &told);
        }
    }

    /// Blocks by their numbers: who may not have one is answered as of one that is not there.
    async fn blocks(&mut self, seat: &Seat<'_>) {
        for (device, era) in DEVICES.into_iter().flat_map(|one| ERAS.map(|era| (one, era))) {
            let [path, none, nobodys] = [(device, era), (device, 9), (ABSENT, era)]
                .map(|(device, serial)| format!("/api/v1/blocks/{device}/1/{serial}"));
            let told = self.world.ask(&seat.who, "GET", &path).await;
            self.check(seat, Row::Block, &path, &told);
            let is_given = is_given(seat.name, device, era, What::Block, Row::Block);
            assert_eq!(told.status == 200, is_given, "{} {path}: {told:?}", seat.name);
            if told.status == 404 {
                let is_device_seen = is_seen(seat.name, device, Row::Block);
                let absent = if is_device_seen { &none } else { &nobodys };
                let absent = self.world.ask(&seat.who, "GET", absent).await;
                self.alike(seat, &path, [(&told, device), (&absent, ABSENT)]);
            }
        }
    }

    /// Topics of one device.
    fn topics(&mut self, seat: &Seat<'_>) {
        let core = &self.world.bench.core;
        for device in DEVICES {
            let topic = format!("default/live/device/{device}");
            let found = may_subscribe(&seat.who, &topic, &core.facts(), now());
            let is_yes = matches!(found, Decision::Yes(_));
            // The bench may have what there is not yet.
            let is_seen = is_seen(seat.name, device, Row::Live) || seat.name == "bench";
            assert_eq!(is_yes, is_seen, "{} {topic}: {found:?}", seat.name);
            self.cells += 1;
        }
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is printed")]
async fn no_request_shows_what_is_not_for_who_asks_and_hidden_is_as_absent() {
    let begun = std::time::Instant::now();
    let own = principals(&TenantName::default());
    let world = SampleTenant::full(&own).await;
    for (kind, body) in sample_documents() {
        world.put(kind, &format!("d-{kind}"), body).await;
    }
    for (token, action) in &NETWORKS[1..] {
        world.put("electric_network", token, json!({ "name": "n", "model": "{}" })).await;
        for (name, who) in &own {
            let grant = json!({
                "to": who.reference, "on": format!("electric-network:{token}"),
                "actions": [action], "quantities": ["*"], "from": SimTime(0),
                "until": SimTime(i64::MAX), "purpose": "work", "by": "bench",
            });
            world.put("grant", &format!("{token}-{name}"), grant).await;
        }
    }
    for (person, meter) in [("ann", "m-home"), ("bob", "m-bobs")] {
        world.put("bill", &format!("{person}-2027-01"), bill(person, meter)).await;
        world.put("notification", &format!("n-{person}"), notification(person)).await;
    }
    let core = Arc::clone(&world.bench.core);
    // What the devices' credential sends may be refused.
    let state = || (core.documents.epoch(), Totals { refusals: 0, ..core.progress.totals() });
    let before = state();
    let mut product = Product { world, cells: 0, shown: 0, alike: 0 };
    let foreign = own.iter().filter(|(name, _)| *name != "platform");
    let foreign = foreign.map(|(name, who)| {
        let name = if *name == "anonymous" { "anonymous of b" } else { "of b" };
        Seat { name, who: of_tenant(who, "b") }
    });
    let own = own.iter().map(|(name, who)| Seat { name, who: who.clone() });
    for seat in own.chain(foreign) {
        product.reads(&seat).await;
        product.documents(&seat).await;
        product.electric_networks(&seat).await;
        product.bills(&seat).await;
        product.notifications(&seat).await;
        product.blocks(&seat).await;
        product.writes(&seat).await;
        product.others(&seat).await;
        product.topics(&seat);
    }
    assert_eq!(state(), before, "nothing has changed");
    let others: Vec<_> = all().filter(|route| is_other(route)).map(|route| route.path).collect();
    println!("by themselves: {others:?}");
    let Product { world, cells, shown, alike } = product;
    let took = begun.elapsed();
    println!("{cells} cells, {shown} things shown, {alike} answered as absent, {took:?}");
    assert!(cells > 3000 && shown > 1000 && alike > 1000);
    drop(core);
    world.stop().await;
}
