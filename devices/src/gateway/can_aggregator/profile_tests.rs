//! Power profiles from slaves through an aggregator that dies, by each scheme.
//!
//! Registers count 10 kJ a second, net, so that the mean power of each interval is 10 kW. At the
//! start those of node n have 100 J times n, which it takes for counted in the first one.

use lastmeter_units::Phase;

use super::*;
use crate::border::DeviceFault;

/// Intervals have 5 s, and one begins with the scenario.
const INTERVALS: &str = "registers = [\"active_power\", \"profile\"]\n";

/// The intervals that were reported of a node, by the number of the reading that has them.
fn intervals(net: &Net, node: u8) -> Vec<(u64, f64, f64)> {
    let of = |quantity| MeasurementId::of(quantity, Phase::None).unwrap();
    let [number, power] = [Quantity::ProfileInterval, Quantity::ProfilePower].map(of);
    let own = net.readings.iter().filter(|(owner, ..)| *owner == name(node));
    own.filter_map(|(_, serial, values)| {
        assert_eq!(values.contains_key(&number), values.contains_key(&power));
        Some((*serial, *values.get(&number)?, *values.get(&power)?))
    })
    .collect()
}

#[test]
fn each_interval_is_reported_once_across_a_restart_and_a_missed_one_is_missing() {
    for scheme in Authentication::ALL {
        let mut net = Net::new(scheme, 2, &format!("{EACH_2_S}{INTERVALS}"));
        // The second interval is reported at 10 s or 12 s, and the aggregator starts again with
        // what it has kept while nodes still answer with it.
        net.run(at_ms(13_000));
        net.restart_gateway();
        net.run(at_ms(17_500));
        // The fourth is over at 20 s, and the fifth before anybody answers again.
        let frozen = DeviceFault::Freeze { until: Some(at_ms(25_500)) };
        for slave in &mut net.slaves {
            slave.take(at_ms(17_500), Input::Fault(frozen.clone()), &mut Vec::new());
        }
        net.run(at_ms(29_900));
        for node in [1, 2] {
            let found = intervals(&net, node);
            let numbers: Vec<f64> = found.iter().map(|it| it.1).collect();
            assert_eq!(numbers, [1.0, 2.0, 3.0, 5.0], "{scheme} {found:?}");
            assert!(found.is_sorted_by(|a, b| a.0 < b.0));
            let first_kw = 10.0 + 0.02 * f64::from(node);
            let expected = [first_kw, 10.0, 10.0, 10.0].into_iter();
            let is_it = |(it, kw): (&(u64, f64, f64), f64)| (it.2 - kw).abs() < 1e-9;
            assert!(found.iter().zip(expected).all(is_it), "{scheme} {found:?}");
        }
        let readings = net.readings.iter().filter(|it| it.0 == name(1)).count();
        assert!(readings > 8, "{readings} readings, four of them with an interval");
    }
}
