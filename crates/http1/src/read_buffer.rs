//! The received bytes of a connection that have not been consumed.

/// The capacity kept between requests. Most heads are below 1 KiB.
const SMALL_BYTES: usize = 8 * 1024;

/// A buffer that grows when a head needs it, and shrinks afterwards.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    storage: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// Returns the bytes not yet consumed.
    pub(crate) fn data(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// Consumes the first `count` bytes of [`Self::data`].
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Returns free space: at least one byte as long as fewer than `bytes_max` bytes are
    /// unconsumed.
    pub(crate) fn spare(&mut self, bytes_max: usize) -> &mut [u8] {
        if self.start > 0 {
            self.storage.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.storage.len() {
            let grown = (self.storage.len() * 2).clamp(SMALL_BYTES.min(bytes_max), bytes_max);
            self.storage.resize(grown.max(self.end), 0);
        }
        &mut self.storage[self.end..]
    }

    /// Appends the first `count` bytes of [`Self::spare`] to the data.
    pub(crate) fn commit(&mut self, count: usize) {
        self.end = (self.end + count).min(self.storage.len());
    }

    /// Frees a large buffer if the remaining bytes fit into a small one.
    pub(crate) fn shrink(&mut self) {
        if self.storage.len() > SMALL_BYTES && self.data().len() < SMALL_BYTES {
            let mut small = vec![0; SMALL_BYTES];
            let left = self.data().len();
            small[..left].copy_from_slice(self.data());
            *self = Self { storage: small, start: 0, end: left };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReadBuffer, bytes: &[u8], bytes_max: usize) -> usize {
        let spare = buffer.spare(bytes_max);
        let count = spare.len().min(bytes.len());
        spare[..count].copy_from_slice(&bytes[..count]);
        buffer.commit(count);
        count
    }

    #[test]
    fn unconsumed_bytes_stay_in_order() {
        let mut buffer = ReadBuffer::default();
        receive(&mut buffer, b"GET / one", 100);
        buffer.consume(6);
        receive(&mut buffer, b" two", 100);
        assert_eq!(buffer.data(), b"one two");
    }

    #[test]
    fn the_buffer_grows_to_its_limit() {
        let mut buffer = ReadBuffer::default();
        let mut taken = 0;
        while taken < 100_000 {
            match receive(&mut buffer, &[b'x'; 3000], 20_000) {
                0 => break,
                count => taken += count,
            }
        }
        assert_eq!(taken, 20_000);
    }

    #[test]
    fn a_large_buffer_is_freed_once_it_is_consumed() {
        let mut buffer = ReadBuffer::default();
        while receive(&mut buffer, &[b'x'; 4096], 32_768) > 0 {}
        buffer.shrink();
        assert_eq!(buffer.storage.len(), 32_768, "it is still full");
        buffer.consume(32_760);
        buffer.shrink();
        assert_eq!((buffer.storage.len(), buffer.data().len()), (SMALL_BYTES, 8));
    }
}
