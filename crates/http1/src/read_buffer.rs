//! The bytes of a connection that have arrived and are not used up.

/// What a connection that waits for its next request holds. Most heads are below 1 KiB.
const SMALL_BYTES: usize = 8 * 1024;

/// One buffer that grows when a head needs it, and shrinks afterwards.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    storage: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// What has arrived and is not used up.
    pub(crate) fn data(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// Uses up the first `count` bytes of [`Self::data`].
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Room for more, at least one byte as long as less than `bytes_max` wait to be used up.
    pub(crate) fn room(&mut self, bytes_max: usize) -> &mut [u8] {
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

    /// Takes over the first `count` bytes of the [`Self::room`] given before.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.storage.len());
    }

    /// Gives a large buffer back, where what is left fits into a small one.
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

    fn receive(inbox: &mut ReadBuffer, bytes: &[u8], bytes_max: usize) -> usize {
        let room = inbox.room(bytes_max);
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.filled(count);
        count
    }

    #[test]
    fn what_was_not_consumed_stays_in_order() {
        let mut inbox = ReadBuffer::default();
        receive(&mut inbox, b"GET / one", 100);
        inbox.consume(6);
        receive(&mut inbox, b" two", 100);
        assert_eq!(inbox.data(), b"one two");
    }

    #[test]
    fn it_grows_to_its_limit_and_no_further() {
        let mut inbox = ReadBuffer::default();
        let mut taken = 0;
        while taken < 100_000 {
            match receive(&mut inbox, &[b'x'; 3000], 20_000) {
                0 => break,
                count => taken += count,
            }
        }
        assert_eq!(taken, 20_000);
    }

    #[test]
    fn a_large_buffer_is_given_back_once_it_is_used_up() {
        let mut inbox = ReadBuffer::default();
        while receive(&mut inbox, &[b'x'; 4096], 32_768) > 0 {}
        inbox.shrink();
        assert_eq!(inbox.storage.len(), 32_768, "it is still full");
        inbox.consume(32_760);
        inbox.shrink();
        assert_eq!((inbox.storage.len(), inbox.data().len()), (SMALL_BYTES, 8));
    }
}
