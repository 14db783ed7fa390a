//! Meters that lost their supply or kept it, on candidates that phasors do not distinguish.

use lastmeter_apps::fault_location::{Evidence, Locator, Supply, rank};
use lastmeter_grid::network::NodeId;

use super::rig::{self, OVERHEAD, TrueFault, TruePlace};

/// At 6.5 km main line and branch are at the same electrical distance, so nearly that both are
/// candidates; a branch whose homes are dark, while the main line's are lit, has the fault.
#[test]
fn meters_decide_between_main_line_and_branch() {
    let place = TruePlace { on_branch: true, distance_m: 6500.0 };
    let fault = TrueFault { place, kind: rig::kind_of("BC"), ohm: 2.0, cycles: [5, 20] };
    let mut draws = rig::draws(3);
    let played = rig::play(&OVERHEAD, &fault, &mut draws);
    let recording = rig::recorded(&OVERHEAD, &played, &mut draws);
    let network = OVERHEAD.network();
    let locator = Locator::new(&network, rig::STATION, rig::options()).unwrap();
    let found = locator.locate(&recording).unwrap();
    let ranked = |evidence: &Evidence| {
        let mut candidates = found.candidates.clone();
        rank(locator.feeder(), &mut candidates, evidence);
        let sum: f64 = candidates.iter().map(|it| it.likelihood).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        let first = candidates[0];
        (OVERHEAD.place(&first).on_branch, first.likelihood)
    };
    let branches = found.candidates.iter().map(|it| OVERHEAD.place(it).on_branch);
    assert!(branches.clone().any(|it| it) && branches.clone().any(|it| !it), "{found:?}");
    let loads_at = |nodes: std::ops::RangeInclusive<u32>, supply: Supply| {
        let network = &network;
        nodes.map(move |node| {
            let is_there =
                |load: &lastmeter_grid::network::Load| load.connection.node == NodeId(node);
            (network.loads.iter().position(is_there).unwrap(), supply)
        })
    };
    let branch_dark: Evidence =
        loads_at(11..=14, Supply::Lost).chain(loads_at(1..=10, Supply::Kept)).collect();
    let (on_branch, likelihood) = ranked(&branch_dark);
    assert!(on_branch && likelihood > 0.99);
    let main_dark: Evidence =
        loads_at(5..=10, Supply::Lost).chain(loads_at(11..=14, Supply::Kept)).collect();
    let (on_branch, likelihood) = ranked(&main_dark);
    assert!(!on_branch && likelihood > 0.99);
    // A few that are lit behind the place are enough, where some lost their supply.
    let lit: Evidence =
        loads_at(9..=10, Supply::Kept).chain(loads_at(14..=14, Supply::Lost)).collect();
    assert!(ranked(&lit).0);
    // Who is lit at the fork shows that a fault on the branch cut off nothing of the main line.
    let at_fork: Evidence =
        loads_at(7..=10, Supply::Lost).chain(loads_at(4..=4, Supply::Kept)).collect();
    assert!(!ranked(&at_fork).0);
    // Where none did, those behind the place are lit as well.
    let all_lit: Evidence = loads_at(1..=14, Supply::Kept).collect();
    assert_eq!(ranked(&all_lit), ranked(&Evidence::new()));
}
