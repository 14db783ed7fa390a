//! Turns to print, where several runs go on at a time.
//!
//! What a run prints comes out in one piece, and the runs in their order: the first that is not
//! over prints at once, what the others print is kept until it is their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::output::{print_err, print_out};

/// A line, and where it goes.
pub(crate) enum Line {
    Out(String),
    Err(String),
}

impl Line {
    pub(crate) fn print(&self) {
        match self {
            Self::Out(text) => print_out(text),
            Self::Err(text) => print_err(text),
        }
    }
}

/// The turns of runs, which are numbered from 0 without gaps.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    /// The run whose turn it is: all before it are over.
    current: usize,
    /// Later ones that are over.
    over: BTreeSet<usize>,
    /// What later ones have printed.
    kept: BTreeMap<usize, Vec<Line>>,
}

impl State {
    /// A run is over; what becomes due by that.
    fn end(&mut self, run: usize) -> Vec<Line> {
        let mut due = Vec::new();
        self.over.insert(run);
        while self.over.remove(&self.current) {
            self.current += 1;
            due.extend(self.kept.remove(&self.current).unwrap_or_default());
        }
        due
    }
}

impl Turns {
    /// The turn of a run, which ends when it is dropped.
    pub(crate) fn turn(&self, run: usize) -> Turn<'_> {
        Turn { turns: self, run }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    run: usize,
}

impl Turn<'_> {
    /// Prints a line, or keeps it until the turn has come.
    pub(crate) fn print(&self, line: Line) {
        let mut state = self.turns.state();
        if state.current == self.run {
            line.print();
        } else {
            state.kept.entry(self.run).or_default().push(line);
        }
    }

    /// Whether its lines are printed at once.
    pub(crate) fn has_come(&self) -> bool {
        self.turns.state().current == self.run
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Printed with the lock held, so that the next run's own lines come behind.
        let mut state = self.turns.state();
        state.end(self.run).iter().for_each(Line::print);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        let text = |line| match line {
            &Line::Out(ref text) | &Line::Err(ref text) => text.as_str(),
        };
        lines.iter().map(text).collect()
    }

    #[test]
    fn what_a_run_printed_is_due_when_all_before_it_are_over() {
        let turns = Turns::default();
        let [zero, one, two] = [0, 1, 2].map(|run| std::mem::ManuallyDrop::new(turns.turn(run)));
        assert!(zero.has_come() && !one.has_come() && !two.has_come());
        for (turn, text) in [(&two, "two"), (&one, "one"), (&two, "two again")] {
            turn.print(Line::Out(text.to_owned()));
        }
        assert_eq!(texts(&turns.state().end(2)), Vec::<&str>::new());
        assert_eq!(texts(&turns.state().end(0)), ["one"]);
        assert!(one.has_come());
        assert_eq!(texts(&turns.state().end(1)), ["two", "two again"]);
    }
}
