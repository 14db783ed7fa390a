//! A part of a source of bytes, which reads like a whole one.

use std::io::{self, Read, Seek, SeekFrom};

/// The bytes of a source from `start` on, `length` of them.
#[derive(Debug)]
pub(crate) struct Window<R> {
    inner: R,
    start: u64,
    pub(crate) length: u64,
    at: u64,
}

impl<R: Read + Seek> Window<R> {
    /// A part of a source; it ends where the source does, if that is earlier.
    pub(crate) fn part(mut inner: R, start: u64, length: u64) -> io::Result<Self> {
        let end = inner.seek(SeekFrom::End(0))?;
        let length = length.min(end.saturating_sub(start));
        let mut window = Self { inner, start, length, at: 0 };
        window.rewind()?;
        Ok(window)
    }

    pub(crate) fn whole(inner: R) -> io::Result<Self> {
        Self::part(inner, 0, u64::MAX)
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: Seek> Seek for Window<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let at = at.min(self.length);
        let place = self.start.checked_add(at);
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.inner.seek(SeekFrom::Start(place))?;
        self.at = at;
        Ok(at)
    }
}
