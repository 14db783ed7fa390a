//! Tenants beside the one that is always there: whose a device is, what it is called, and what
//! cannot be.

use lastmeter_units::TenantName;

use super::{VALID, assert_printed, change, changed, load};
use crate::{Scenario, TenantRow};

const TENANT: &str = "[[tenant]]\nname = \"b\"\nmessages_per_s = 500\n";

/// The valid scenario with a tenant, and with another device table.
fn with(device: &str) -> String {
    changed("[[source]]", &format!("{TENANT}\n[[source]]"))
        + "\n[[device]]\nat = \"source:g\"\nmodel = \"stpm34-3ph\"\n"
        + device
}

fn named(scenario: &Scenario) -> Vec<(&str, &str, &str)> {
    let of = |row| -> (&str, &str, &str) {
        let row: &crate::DeviceRow = row;
        (&row.name, row.tenant.as_str(), row.hardware_id())
    };
    scenario.devices.iter().map(of).collect()
}

#[test]
fn devices_of_two_tenants_may_have_one_id_and_have_two_names() {
    let text = with("name = \"home\"\ntenant = \"b\"\nreport_every = \"10 s\"\n")
        + "\n[[check]]\nname = \"b\"\nkind = \"no_loss\"\ndevice = \"b.home\"\n";
    let scenario = load(&text).unwrap();
    assert_eq!(named(&scenario), [("home", "default", "home"), ("b.home", "b", "home")]);
    let row =
        TenantRow { name: TenantName::new("b").unwrap(), limits: vec![("messages_per_s", 500)] };
    assert_eq!(scenario.part::<Vec<TenantRow>>(), Some(&vec![row]));
    let again = load(&scenario.resolved_toml()).unwrap();
    assert!(scenario.same_meaning(&again));
    assert_eq!(named(&again), named(&scenario));
    assert!(!load(VALID).unwrap().resolved_toml().contains("tenant"));
    let default = load(&with("name = \"n\"\ntenant = \"default\"\n")).unwrap();
    assert_eq!(named(&default)[1], ("n", "default", "n"));
}

#[test]
fn many_devices_of_a_tenant_are_numbered_behind_it() {
    let scenario = load(&with("name = \"m\"\ncount = 2\ntenant = \"b\"\n")).unwrap();
    assert_eq!(named(&scenario)[1..], [("b.m-1", "b", "m-1"), ("b.m-2", "b", "m-2")]);
}

#[test]
fn what_no_tenant_can_be_is_a_mistake_where_it_stands() {
    let tenant = |text: &str| changed("[[source]]", &format!("{text}\n[[source]]"));
    let tables = [
        "[[tenant]]\nname = \"North\"",
        "[[tenant]]\nname = \"default\"",
        "[[tenant]]",
        "[[tenant]]\nname = \"b\"\n[[tenant]]\nname = \"b\"",
        "[[tenant]]\nname = \"b\"\nmessages_per_s = 0",
        "[[tenant]]\nname = \"b\"\nstore = \"x\"",
    ];
    let devices = [
        "name = \"n\"\ntenant = \"c\"",
        "name = \"b.n\"",
        "name = \"n\"\ntenant = \"b\"\non = \"network:x\"",
        "name = \"home\"\ntenant = \"b\"\n[[check]]\nname = \"x\"\nkind = \"no_loss\"\ndevice = \"n.home\"",
        "name = \"n\"\ntenant = \"b\"\ncount = 3\n[[check]]\nname = \"x\"\nkind = \"no_loss\"\ndevice = \"b.n\"",
    ];
    let tls =
        with("name = \"n\"\ntenant = \"b\"").replace("[platform]", "[platform]\ntls = \"mutual\"");
    let tables = tables.map(|text| (change("", text), load(&tenant(text))));
    let devices = devices.map(|text| (change("", text), load(&with(text))));
    let all =
        tables.into_iter().chain(devices).chain([(change("", "tls = \"mutual\""), load(&tls))]);
    assert_printed("tenants", all);
}
