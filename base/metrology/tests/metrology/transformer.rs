//! A measured recording of a transformer bay, 1200 samples per second at 60 Hz, in which a breaker
//! opens: against the record's own bytes, read here.

use lastmeter_metrology::{Analysis, AnalysisInput, AnalysisOptions, analyse_with};

const RATE_HZ: f64 = 1200.0;

/// Number, time, 23 analogue channels of four bytes, 140 digital ones in nine words of two.
const RECORD: usize = 4 + 4 + 23 * 4 + 18;

/// The record's channels: HV IR, IS, IT are 0 to 2, HV bus VR, VS, VT are 5 to 7.
const CURRENTS: [usize; 3] = [0, 1, 2];
const VOLTAGES: [usize; 3] = [5, 6, 7];

#[expect(clippy::print_stdout, reason = "a skipped test is reported")]
fn bytes() -> Option<Vec<u8>> {
    let required = std::env::var("LASTMETER_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|tier| tier == "all" || tier == "data");
    let read = std::env::var("LASTMETER_RECORDINGS")
        .map_err(|_| "LASTMETER_RECORDINGS is not set".to_owned())
        .and_then(|folder| {
            let file = format!("{folder}/comtrade-transformer-60hz/Comtrade1.dat");
            std::fs::read(&file).map_err(|error| format!("{file}: {error}"))
        });
    match read {
        Ok(bytes) => Some(bytes),
        Err(reason) => {
            assert!(!required, "required recording is missing: {reason}");
            println!("SKIPPED: {reason}");
            None
        }
    }
}

fn channel(bytes: &[u8], index: usize) -> Vec<f64> {
    bytes
        .chunks_exact(RECORD)
        .map(|record| {
            let at = 8 + 4 * index;
            let four: [u8; 4] = record[at..at + 4].try_into().expect("four bytes");
            f64::from(f32::from_le_bytes(four))
        })
        .collect()
}

fn measured(voltages: &[Vec<f64>], currents: &[Vec<f64>]) -> Analysis {
    let names: Vec<String> = ["r", "s", "t"].map(str::to_owned).to_vec();
    let input = AnalysisInput {
        rate_hz: RATE_HZ,
        nominal_hz: Some(60.0),
        names: &names,
        voltages,
        currents,
    };
    // 220 kV between the lines would be 127 kV; the bus runs at 130.5 kV.
    let options =
        AnalysisOptions { declared_voltage_v: Some(127_017.0), ..AnalysisOptions::default() };
    analyse_with(&input, options).expect("a good recording")
}

#[test]
fn the_breaker_opens_at_the_sample_of_the_raw_record() {
    let Some(bytes) = bytes() else { return };
    let all = |list: [usize; 3]| list.map(|index| channel(&bytes, index)).to_vec();
    let (u, i) = (all(VOLTAGES), all(CURRENTS));
    let analysis = measured(&u, &i);
    let events = &analysis.current_events;
    assert_eq!(events.len(), 3, "{events:?}");
    for (phase, samples) in ["r", "s", "t"].iter().zip(&i) {
        // The last sample above a tenth of the peak of the first second.
        let peak = samples[..600].iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let last = samples.iter().rposition(|x| x.abs() > 0.1 * peak).expect("a current");
        let event = events.iter().find(|event| event.phase == *phase).expect("every phase");
        assert_eq!(event.start_sample, last as u64 + 1, "phase {phase}");
        assert!((event.start_s - (last + 1) as f64 / RATE_HZ).abs() < 1e-9);
        assert!(event.left_a < 0.1 * event.before_a, "{event:?}");
    }
    // Typed from the record: 1176, 1173 and 1180. The relay's own contacts, digital channels 3
    // ("QA1 R Closed") and 5 and 7, leave within a quarter of a cycle.
    let mut found: Vec<_> = events.iter().map(|event| event.start_sample).collect();
    found.sort_unstable();
    assert_eq!(found, [1173, 1176, 1180]);
}

#[test]
fn a_steady_voltage_has_no_event_and_no_distortion_at_the_edges() {
    let Some(bytes) = bytes() else { return };
    let all = |list: [usize; 3]| list.map(|index| channel(&bytes, index)).to_vec();
    let (u, i) = (all(VOLTAGES), all(CURRENTS));
    // The whole record, and excerpts that begin and end anywhere in a cycle.
    for (from, to) in [(0, 7200), (7, 7193), (1303, 6811), (100, 1100)] {
        let cut = |list: &[Vec<f64>]| list.iter().map(|x| x[from..to].to_vec()).collect::<Vec<_>>();
        let analysis = measured(&cut(&u), &cut(&i));
        let events = analysis.events.as_ref().expect("a declared voltage");
        assert!(events.is_empty(), "{from}..{to}: {events:?}");
        assert_eq!(analysis.rapid_changes.as_deref(), Some(&[][..]));
        assert_eq!(analysis.phases[0].harmonics_u.as_ref().expect("voltages").len(), 9);
        let windows = &analysis.windows;
        for p in 0..3 {
            let thd: Vec<f64> =
                windows.iter().map(|w| w.phases[p].thd_u_harm_pct.expect("a voltage")).collect();
            // No window of the steady voltage differs much from its neighbours, first and last
            // included.
            let mean = thd.iter().sum::<f64>() / thd.len() as f64;
            for (k, thd) in thd.iter().enumerate() {
                assert!((thd - mean).abs() < 0.25, "{from}..{to} window {k}: {thd} of {mean}");
                assert!(*thd < 2.0);
            }
        }
        // The bus is balanced to within a few tenths of a per cent throughout.
        let unbalance = analysis.unbalance.u2_pct.expect("three voltages");
        assert!(unbalance < 0.5, "{unbalance}");
        for window in windows {
            for phase in &window.phases {
                let thd = phase.thd_i_pct.unwrap_or(0.0);
                assert!(thd < 400.0, "a current of noise has a distortion of {thd} %");
            }
        }
    }
}

#[test]
fn after_the_breaker_the_currents_have_no_signal() {
    let Some(bytes) = bytes() else { return };
    let all = |list: [usize; 3]| -> Vec<Vec<f64>> {
        list.map(|index| channel(&bytes, index)[1800..].to_vec()).to_vec()
    };
    let (u, i) = (all(VOLTAGES), all(CURRENTS));
    let analysis = measured(&u, &i);
    for phase in &analysis.phases {
        assert_eq!(phase.values.thd_i_pct, None, "{:?}", phase.values);
        assert!(phase.values.i_rms_a.expect("a channel") < 8.0);
    }
    let notes = analysis.notes.iter().filter(|note| note.starts_with("no signal")).count();
    assert_eq!(notes, 3, "{:?}", analysis.notes);
    assert!(analysis.current_events.is_empty());
}
