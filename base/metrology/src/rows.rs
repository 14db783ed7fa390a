//! Memory for rows of channels that lie side by side.

/// Values a row may have to be moved by to begin at a cache line.
const LINE: usize = 8;

/// Reused memory whose rows begin at a cache line, so that no row of a power of two of values up to
/// eight lies across two of them: reading those takes twice as long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(Vec<f64>);

impl Rows {
    /// A number of rows; what is in them is left over from other uses.
    pub(crate) fn rows<const W: usize>(&mut self, count: usize) -> &mut [[f64; W]] {
        let needed = count * W + LINE;
        if self.0.len() < needed {
            self.0.resize(needed, 0.0);
        }
        let moved = self.0.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        let (rows, _) = self.0[moved..].as_chunks_mut();
        &mut rows[..count]
    }

    /// A number of pairs of rows, likewise.
    pub(crate) fn pairs<const W: usize>(&mut self, count: usize) -> &mut [[[f64; W]; 2]] {
        self.rows(2 * count).as_chunks_mut().0
    }
}
