//! How decoded samples go from a decoder to whoever takes them: column by column, some at a time.
//!
//! Terms: a *sink* takes the samples; it is called when some have been added (a *turn*), and keeps
//! them (a whole recording) or works them off (blocks of one). Decoders know nothing else of their
//! consumers, so that reading whole and reading in blocks decode alike.

use std::ops::ControlFlow;

/// Columns of samples, as long as each other. Values that are not there are NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Columns {
    pub(crate) analogue: Vec<Vec<f64>>,
    pub(crate) digital: Vec<Vec<bool>>,
}

impl Columns {
    pub(crate) fn new(analogue: usize, digital: usize) -> Self {
        let mut columns = Self::default();
        columns.analogue.resize_with(analogue, Vec::new);
        columns.digital.resize_with(digital, Vec::new);
        columns
    }

    /// How long each column is; zero where there are none.
    pub(crate) fn rows(&self) -> usize {
        let analogue = self.analogue.first().map(Vec::len);
        analogue.or_else(|| self.digital.first().map(Vec::len)).unwrap_or(0)
    }

    /// Empties the columns, which keep their memory.
    pub(crate) fn clear(&mut self) {
        self.analogue.iter_mut().for_each(Vec::clear);
        self.digital.iter_mut().for_each(Vec::clear);
    }

    /// Appends other columns, of which there are as many.
    pub(crate) fn append(&mut self, other: &Self) {
        for (column, more) in self.analogue.iter_mut().zip(&other.analogue) {
            column.extend_from_slice(more);
        }
        for (column, more) in self.digital.iter_mut().zip(&other.digital) {
            column.extend_from_slice(more);
        }
    }
}

/// Takes what a decoder reads.
pub(crate) trait Sink {
    /// So many rows are really there, if nothing is wrong with them.
    fn expect(&mut self, _rows: u64) {}

    /// Where the next rows are appended.
    fn columns(&mut self) -> &mut Columns;

    /// Rows were appended, a few thousand values at most; `Break` ends the reading.
    fn turn(&mut self) -> ControlFlow<()>;
}

pub(crate) struct Collect(pub(crate) Columns);

impl Sink for Collect {
    fn expect(&mut self, rows: u64) {
        let rows = usize::try_from(rows).unwrap_or(0);
        self.0.analogue.iter_mut().for_each(|column| column.reserve_exact(rows));
        self.0.digital.iter_mut().for_each(|column| column.reserve_exact(rows));
    }

    fn columns(&mut self) -> &mut Columns {
        &mut self.0
    }

    fn turn(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
