//! Blocks of samples without gaps, made of what a decoder reads in pieces of other lengths.

use std::ops::ControlFlow;

use crate::columns::{Columns, Sink};
use crate::gaps::Filler;

/// Who takes a block: a slice for each channel, all equally long. `Break` ends the reading.
pub(crate) type Take<'a> = dyn FnMut(&[&[f64]]) -> ControlFlow<()> + 'a;

/// Cuts what comes into blocks of a fixed length and fills their gaps.
pub(crate) struct Blocks<'a> {
    fillers: Vec<Filler<'a>>,
    block: Columns,
    length: usize,
    at: u64,
    take: &'a mut Take<'a>,
    ended: bool,
}

impl<'a> Blocks<'a> {
    /// Blocks of `length` samples of as many channels as there are fillers.
    pub(crate) fn new(fillers: Vec<Filler<'a>>, length: usize, take: &'a mut Take<'a>) -> Self {
        let block = Columns::new(fillers.len(), 0);
        Self { fillers, block, length: length.max(1), at: 0, take, ended: false }
    }

    /// Takes columns of any length.
    pub(crate) fn push(&mut self, columns: &Columns) -> ControlFlow<()> {
        let rows = columns.rows();
        let mut from = 0;
        while from < rows {
            let room = self.length - self.block.rows();
            let end = rows.min(from + room);
            for (column, more) in self.block.analogue.iter_mut().zip(&columns.analogue) {
                column.extend_from_slice(more.get(from..end).unwrap_or_default());
            }
            from = end;
            if self.block.rows() >= self.length {
                self.hand_on()?;
            }
        }
        ControlFlow::Continue(())
    }

    fn hand_on(&mut self) -> ControlFlow<()> {
        for (filler, samples) in self.fillers.iter_mut().zip(&mut self.block.analogue) {
            filler.fill(self.at, samples);
        }
        let channels: Vec<&[f64]> = self.block.analogue.iter().map(Vec::as_slice).collect();
        let went_on = (self.take)(&channels);
        self.at += self.block.rows() as u64;
        self.block.clear();
        self.ended = went_on.is_break();
        went_on
    }

    /// Hands on the last block, which may be shorter.
    pub(crate) fn finish(mut self) {
        if !self.ended && self.block.rows() > 0 {
            let _ = self.hand_on();
        }
    }
}

/// A sink that hands pieces on to a function and forgets them.
pub(crate) struct Pieces<F> {
    columns: Columns,
    take: F,
}

impl<F: FnMut(&Columns) -> ControlFlow<()>> Pieces<F> {
    /// Pieces of so many analogue channels.
    pub(crate) fn new(analogue: usize, take: F) -> Self {
        Self { columns: Columns::new(analogue, 0), take }
    }
}

impl<F: FnMut(&Columns) -> ControlFlow<()>> Sink for Pieces<F> {
    fn columns(&mut self) -> &mut Columns {
        &mut self.columns
    }

    fn turn(&mut self) -> ControlFlow<()> {
        let went_on = (self.take)(&self.columns);
        self.columns.clear();
        went_on
    }
}
