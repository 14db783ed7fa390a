//! Screens of the display: their size whatever stands on them, and the values of the view.

use proptest::prelude::*;

use super::*;
use crate::household::{made, view};

#[test]
fn the_start_screen_has_the_tasks_with_date_and_time() {
    let shown = lines(&made::view(), Screen::Start).join("|");
    let expected = [
        "LASTMETER          18/01 18:00",
        "------------------------------",
        "1 CAN manage                  ",
        "2 Web server                  ",
        "3 Decide                      ",
        "4 Bill                        ",
        "5 User interface              ",
    ];
    assert!(shown.starts_with(&expected.join("|")), "{shown}");
}

#[test]
fn the_power_screen_has_loads_and_bill() {
    let shown = lines(&made::view(), Screen::Power);
    let expected = [
        "POWER              18/01 18:00",
        "------------------------------",
        "Household               1244 W",
        "fridge               92 W     ",
        "dishwasher            0 W     ",
        "washing machine     410 W     ",
        "water heater          0 W open",
        "oven                 -- W     ",
        "                              ",
        "                              ",
        "                              ",
        "Bill so far          38.20 EUR",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut view = made::view();
    let load = view.loads[0].clone();
    view.loads = (0..20).map(|_| load.clone()).collect();
    let shown = lines(&view, Screen::Power);
    assert_eq!(shown.iter().filter(|line| line.starts_with("fridge")).count(), 7);
    assert_eq!(shown[10].trim_end(), "and 13 more");
    // Eight loads have room without such a line.
    view.loads.truncate(8);
    let shown = lines(&view, Screen::Power);
    assert_eq!(shown.iter().filter(|line| line.starts_with("fridge")).count(), 8);
}

proptest! {
    #[test]
    fn a_screen_has_its_size(
        names in prop::collection::vec(".{0,50}", 0..30),
        power_w in prop::option::of(any::<i64>()),
        screen in prop::sample::select(Screen::ALL.to_vec()),
    ) {
        let mut view = made::view();
        let load = view.loads[0].clone();
        view.net_w = power_w;
        let named = |name| view::LoadView { name, power_w, ..load.clone() };
        view.loads = names.into_iter().map(named).collect();
        let shown = lines(&view, screen);
        prop_assert_eq!(shown.len(), LINES);
        for line in shown {
            prop_assert!(line.len() == COLUMNS && line.is_ascii(), "{}", line);
        }
    }
}
