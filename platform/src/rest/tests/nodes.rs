//! Nodes of field networks: what they measured, and whether a quantity is measured well enough.

use super::series::{VOLTAGE, store_values};
use super::*;
use crate::tests::commands::put;

const NODE: &str = "00158d0000000091";
const OTHER: &str = "00158d0000000092";
const SECOND: i64 = 1_000_000_000;

/// Two networks with a node each; that of the second has left.
async fn networks(served: &Served, values: &[(SimTime, f64, Option<f64>)]) {
    let core = &served.bench.core;
    for (number, (token, node, state)) in
        (1..).zip([("home", NODE, "joined"), ("shed", OTHER, "left")])
    {
        let address = format!("00124b000000000{number}");
        let network = json!({
            "type": "zigbee", "name": token, "gatewayAddress": address, "gatewayNumber": number,
            "state": "active",
        });
        put(core, "field_network", token, network).await;
        store_values(served, node, values).await;
        put(core, "node", node, json!({ "fieldNetworkToken": token, "state": state })).await;
    }
}

fn data(network: &str, node: &str) -> String {
    format!("/api/v1/networks/{network}/sensors/{node}/data?measurementId={VOLTAGE}")
}

/// When a value was measured, the first at 0.
fn measured(n: i64) -> SimTime {
    SimTime(time(START).0 + n * n * SECOND / 4)
}

/// An instant at which something was measured, or shortly after it, from a stream that is always
/// the same.
fn instant(random: &mut u64) -> SimTime {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    SimTime(measured((*random % 450) as i64).0 + ((*random >> 32) % 2) as i64 * SECOND / 1000)
}

#[tokio::test]
async fn data_of_a_node_are_its_series_in_any_range() {
    let served = Served::start().await;
    let value = |n: i64| (measured(n), n as f64, Some(50.0));
    let values: Vec<_> = (0..450).map(value).collect();
    networks(&served, &values).await;
    let (path, series) = (data("home", NODE), format!("/api/v1/series?device={NODE}"));
    let whole = served.ok(&path).await;
    let points: Vec<Value> = values.iter().map(|(at, volts, _)| json!([at, volts])).collect();
    assert_eq!(whole, Value::from(points));
    let (mut random, mut empty) = (88_172_645_463_325_252, 0);
    for _ in 0..100 {
        let (from, to) = (instant(&mut random), instant(&mut random));
        let range = format!("&quantity={VOLTAGE}&start={from}&end={to}");
        let series = served.ok(&format!("{series}{range}")).await;
        let points = series["results"].get(0).map_or(json!([]), |one| one["points"].clone());
        let found = served.ok(&format!("{path}&from={from}&to={to}")).await;
        assert!(found == points, "{from} {to}: other points than those of the series");
        let is_within = |at: SimTime| (from..to).contains(&at);
        let count = values.iter().filter(|(at, ..)| is_within(*at)).count();
        assert_eq!(found.as_array().unwrap().len(), count, "{from} {to}");
        empty += u32::from(count == 0);
    }
    assert!((30..70).contains(&empty), "{empty} ranges are empty");
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = served.get(&format!("{path}&limit=99{after}")).await;
        pages.extend(page.json().as_array().unwrap().clone());
        let Some((_, next)) = page.head.split_once("x-next-cursor: ") else { break };
        after = format!("&after={}", next.split("\r\n").next().unwrap());
    }
    assert_eq!(Value::from(pages), whole);
    served.stop().await;
}

#[tokio::test]
async fn data_of_a_node_are_asked_for_at_its_own_network() {
    let served = Served::start().await;
    networks(&served, &[(time(START), 230.0, None)]).await;
    for (network, node, status) in [
        ("home", NODE, 200),
        ("shed", OTHER, 200),
        ("home", OTHER, 404),
        ("shed", NODE, 404),
        ("none", NODE, 404),
        ("home", "none", 404),
    ] {
        let told = served.get(&data(network, node)).await;
        assert_eq!(told.status, status, "{network} {node}: {told:?}");
    }
    let path = format!("/api/v1/networks/home/sensors/{NODE}/data");
    for (query, code) in [
        ("", "missing_parameter"),
        ("?measurementId=volts", "unknown_identifier"),
        ("?measurementId=electricity.voltage.rms.l1&from=now", "wrong_parameter"),
        ("?measurementId=electricity.voltage.rms.l1&after=x", "wrong_parameter"),
    ] {
        let told = served.get(&format!("{path}{query}")).await;
        assert_eq!((told.status, &*told.problem()), (400, code), "{query}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_quantity_is_available_coarser_or_not_there_as_its_nodes_declare() {
    let served = Served::start().await;
    networks(&served, &[(time(START), 230.0, None)]).await;
    let asked = async |quantity: &str, resolution: &str, accuracy: &str, more: &str| {
        let path = format!("/api/v1/availability?quantity={quantity}&resolution={resolution}");
        served.get(&format!("{path}&accuracyPercent={accuracy}{more}")).await
    };
    // Of a ZigBee node: steps of 0.1 V, within 1.1 %.
    for (quantity, resolution, accuracy, more, answer) in [
        (VOLTAGE, "0.1", "1.1", "", "available"),
        (VOLTAGE, "1", "5", "", "available"),
        (VOLTAGE, "0.09", "1.1", "", "coarser"),
        (VOLTAGE, "0.1", "1", "", "coarser"),
        (VOLTAGE, "0.1", "1.1", "&network=home", "available"),
        // Its node has left.
        (VOLTAGE, "0.1", "1.1", "&network=shed", "no"),
        ("x.electricity.breaker.closed", "1", "0", "", "available"),
        ("electricity.voltage.rms.l2", "100", "100", "", "no"),
    ] {
        let told = asked(quantity, resolution, accuracy, more).await.json();
        assert_eq!(told["answer"], answer, "{quantity} {resolution} {accuracy}{more}: {told}");
        let count = u64::from(answer != "no");
        assert_eq!(told["numResults"], count, "{told}");
        assert_eq!(told["sources"].as_array().unwrap().len() as u64, count, "{told}");
    }
    let told = asked(VOLTAGE, "0.1", "1.1", "").await.json();
    let source = json!({
        "hardwareId": NODE, "networkType": "zigbee", "resolution": 0.1, "accuracyPercent": 1.1,
    });
    assert_eq!(told["sources"], json!([source]));
    for (quantity, resolution, accuracy, more, status) in [
        ("volts", "1", "1", "", 400),
        (VOLTAGE, "-1", "1", "", 400),
        (VOLTAGE, "1", "NaN", "", 400),
        (VOLTAGE, "inf", "1", "", 400),
        (VOLTAGE, "", "1", "", 400),
        (VOLTAGE, "1", "1", "&network=none", 404),
    ] {
        let told = asked(quantity, resolution, accuracy, more).await;
        assert_eq!(told.status, status, "{told:?}");
        told.problem();
    }
    let told = served.get(&format!("/api/v1/availability?quantity={VOLTAGE}&resolution=1")).await;
    assert_eq!((told.status, &*told.problem()), (400, "missing_parameter"));
    served.stop().await;
}
