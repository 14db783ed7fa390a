//! Excerpts laid over a program: computed waveforms in place of its tones for a window of time.

use std::sync::Arc;

use super::Program;
use crate::excerpt::Excerpt;
use crate::instant::Instant;
use crate::sampled::{PARTS_MAX, Sampled};
use crate::spectrum::TerminalError;
use crate::timeline::{Piece, Wave};

impl Program {
    /// Plays excerpts in place of the tones, after those that it plays already. They stand in order
    /// of time and do not overlap; one may begin where another ends. When one ends the tones are
    /// where they would have been without it.
    pub fn play(&mut self, excerpts: Vec<Arc<Excerpt>>) -> Result<(), TerminalError> {
        let expected = self.phases();
        let mut until = self.excerpts.last().map(|last| last.end());
        for excerpt in &excerpts {
            let from = excerpt.from;
            excerpt.check().map_err(|error| TerminalError::Excerpt { from, error })?;
            let found = excerpt.voltages_v.len();
            if found != expected {
                return Err(TerminalError::ExcerptPhases { from, found, expected });
            }
            if let Some(until) = until.filter(|until| excerpt.begin() < *until) {
                return Err(TerminalError::ExcerptsOverlap { from, until: until.rounded() });
            }
            until = Some(excerpt.end());
        }
        self.excerpts.extend(excerpts);
        Ok(())
    }

    /// Pieces of tones with the excerpts in place of what they cover.
    pub(super) fn with_excerpts(&self, tones: Vec<Piece>) -> Result<Vec<Piece>, TerminalError> {
        if self.excerpts.is_empty() {
            return Ok(tones);
        }
        let mut pieces = Vec::with_capacity(tones.len() + 2 * self.excerpts.len());
        // The first piece of tones that nothing was decided about.
        let mut next = 0;
        for excerpt in &self.excerpts {
            let (begin, end) = (excerpt.begin(), excerpt.end());
            let index_at = |at: Instant| tones.partition_point(|piece| piece.from <= at);
            let (begun, until) = (index_at(begin), index_at(end));
            let before = tones.partition_point(|piece| piece.from < begin).max(next);
            pieces.extend_from_slice(&tones[next..before]);
            // The one before may end here: its tones have no length.
            pieces.pop_if(|piece: &mut Piece| piece.from == begin);
            let covered = &tones[begun.saturating_sub(1)..until];
            let course = covered.iter().map(|piece| (piece.from, piece.wave.frequency())).collect();
            let cycles = |cycles| TerminalError::ExcerptCycles {
                from: excerpt.from,
                cycles,
                most: PARTS_MAX,
            };
            let sampled = Sampled::new(Arc::clone(excerpt), course).map_err(cycles)?;
            pieces.push(Piece { from: begin, wave: Arc::new(Wave::Sampled(sampled)) });
            // Angles are absolute: the tones go on as if nothing had been played.
            if let Some(under) = covered.last() {
                pieces.push(Piece { from: end, wave: Arc::clone(&under.wave) });
            }
            next = until;
        }
        pieces.extend_from_slice(&tones[next..]);
        Ok(pieces)
    }
}
