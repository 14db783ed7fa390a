//! Screens of the display: their size whatever stands on them, the values of the view, and which
//! one a touch shows.

use proptest::prelude::*;

use super::*;
use crate::household::made;

fn shown(screen: Screen) -> Vec<String> {
    lines(&View { screen, ..made::view() })
}

fn expected(texts: [&str; LINES - 2]) -> Vec<String> {
    let [title, rest @ ..] = texts;
    let around = [title, "------------------------------"].into_iter().chain(rest);
    around.chain(["start power today bill  plan  "]).map(|line| format!("{line:<30}")).collect()
}

#[test]
fn the_start_screen_has_the_tasks_with_date_and_time() {
    let tasks = ["1 CAN manage", "2 Web server", "3 Decide", "4 Bill", "5 User interface"];
    let [one, two, three, four, five] = tasks;
    let texts = ["LASTMETER          18/01 18:00", one, two, three, four, five, "", "", "", ""];
    assert_eq!(shown(Screen::Start), expected(texts));
}

#[test]
fn screens_have_the_values_of_the_view() {
    let power = [
        "POWER              18/01 18:00",
        "Household               1244 W",
        "fridge               92 W     ",
        "dishwasher            0 W     ",
        "washing machine     410 W     ",
        "water heater          0 W open",
        "oven                 -- W     ",
        "",
        "",
        "",
    ];
    assert_eq!(shown(Screen::Power), expected(power));
    // Quarters of an hour: 24 times 60 + 100 + 140 W; 1900, 1650 and so on to 650 W; 8 x 1950 W.
    let energy = [
        "ENERGY TODAY       18/01 18:00",
        "Household              9120 Wh",
        "fridge                 1800 Wh",
        "dishwasher                0 Wh",
        "washing machine        1912 Wh",
        "water heater           3900 Wh",
        "oven                      0 Wh",
        "",
        "",
        "",
    ];
    assert_eq!(shown(Screen::Today), expected(energy));
    let bill = [
        "BILL               18/01 18:00",
        "From               01/01 00:00",
        "Taken                131700 Wh",
        "Fed in                18400 Wh",
        "Steps left open              1",
        "Bill so far          38.20 EUR",
        "",
        "",
        "",
        "",
    ];
    assert_eq!(shown(Screen::Bill), expected(bill));
    let plan = [
        "PLAN               18/01 18:00",
        "Strategy            least cost",
        "next dishwasher    18/01 23:00",
        "open water heater  18/01 17:48",
        "start washing mach 18/01 14:40",
        "",
        "",
        "",
        "",
        "",
    ];
    assert_eq!(shown(Screen::Plan), expected(plan));
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut view = View { screen: Screen::Power, ..made::view() };
    let load = view.loads[0].clone();
    view.loads = (0..20).map(|_| load.clone()).collect();
    let shown = lines(&view);
    assert_eq!(shown.iter().filter(|line| line.starts_with("fridge")).count(), 7);
    assert_eq!(shown[10].trim_end(), "and 13 more");
    // Eight loads have room without such a line.
    view.loads.truncate(8);
    let shown = lines(&view);
    assert_eq!(shown.iter().filter(|line| line.starts_with("fridge")).count(), 8);
}

#[test]
fn a_touch_shows_the_screen_whose_word_is_touched() {
    let bar = shown(Screen::Bill)[LINES - 1].clone();
    for from in Screen::ALL {
        for line in 0..=LINES {
            for column in 0..COLUMNS + 8 {
                let is_on_bar = line == LINES - 1 && column < COLUMNS;
                let begin = column / 6 * 6;
                let word = if is_on_bar { bar[begin..begin + 6].trim() } else { from.word() };
                assert_eq!(touched(from, column, line).word(), word, "{column} {line}");
            }
        }
        for to in Screen::ALL {
            let (column, line) = field(to);
            assert_eq!(touched(from, column, line), to);
        }
    }
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
        let named = |name| LoadView { name, power_w, ..load.clone() };
        view.loads = names.into_iter().map(named).collect();
        view.screen = screen;
        let shown = lines(&view);
        prop_assert_eq!(shown.len(), LINES);
        for line in shown {
            prop_assert!(line.len() == COLUMNS && line.is_ascii(), "{}", line);
        }
    }
}
