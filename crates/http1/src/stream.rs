//! A response body written piece by piece while the client reads.

use crate::answer::{BodyFraming, ResponseHead};
use crate::limits::STREAM_HELD_BYTES_MAX;
use crate::wire::Wire;
use std::io::{self, Write};
use std::time::Duration;

/// Space before each piece for its chunk's size line: six digits would do for 64 KiB.
const SIZE_LINE_BYTES: usize = 10;

/// The writer of a streamed body.
///
/// Output is buffered until there are 64 KiB of it, or [`Write::flush`] is called: that becomes
/// one piece and one write to the socket. A body that ends within the first 64 KiB is sent
/// together with its head, and with its length. A write blocks while the client does not read, at
/// most about 30 s per piece ([`crate::Limits::write`]); then it fails, and so does every later
/// one.
#[derive(Debug)]
pub struct StreamBody<'a> {
    wire: &'a mut Wire,
    head: ResponseHead<'a>,
    /// [`BodyFraming::Chunked`] or [`BodyFraming::UntilClose`], for a body longer than its first
    /// piece.
    framing: BodyFraming,
    /// [`SIZE_LINE_BYTES`] of free space, then the buffered bytes.
    buffer: Vec<u8>,
    sent: Sent,
}

/// What has been sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Head,
    /// The socket has failed.
    Broken,
}

/// The result of a stream.
#[derive(Debug)]
pub(crate) enum StreamEnd {
    /// The client has all of it.
    Whole,
    /// The client has a part, or is gone.
    Truncated,
    /// Nothing was sent, so an error response is still possible.
    Unsent(io::Error),
}

impl<'a> StreamBody<'a> {
    /// Creates a body that is about to be written; `framing` applies if it outgrows the buffer.
    pub(crate) fn new(wire: &'a mut Wire, head: ResponseHead<'a>, framing: BodyFraming) -> Self {
        Self { wire, head, framing, buffer: vec![0; SIZE_LINE_BYTES], sent: Sent::Nothing }
    }

    /// Returns whether the client has disconnected or ended its sending side. Does not block.
    #[must_use]
    pub fn client_gone(&self) -> bool {
        self.wait_gone(Duration::ZERO)
    }

    /// Waits at most `within` for the client to disconnect. Returns whether it has.
    #[must_use]
    pub fn wait_gone(&self, within: Duration) -> bool {
        self.sent == Sent::Broken || self.wire.conn.socket.hung_up(within)
    }

    /// Sends the buffered bytes and the body's end, or marks the response as incomplete.
    pub(crate) fn end(mut self, result: io::Result<()>) -> StreamEnd {
        match (result, self.sent) {
            (Err(error), Sent::Nothing) => StreamEnd::Unsent(error),
            (Ok(()), Sent::Nothing) => self.send_whole(),
            (Ok(()), Sent::Head) => self.send_last(),
            (Err(error), Sent::Head) => {
                log::warn!("request {}: its stream ended early: {error}", self.head.id);
                self.truncate()
            }
            (_, Sent::Broken) => self.truncate(),
        }
    }

    fn truncate(&self) -> StreamEnd {
        if self.framing == BodyFraming::UntilClose {
            self.wire.conn.socket.reset_on_close();
        }
        StreamEnd::Truncated
    }

    fn send_whole(&mut self) -> StreamEnd {
        let body = &self.buffer[SIZE_LINE_BYTES..];
        let mut all = Vec::with_capacity(512 + body.len());
        self.head.write(BodyFraming::Length(body.len()), &mut all);
        all.extend_from_slice(body);
        self.finish(&all)
    }

    fn send_last(&mut self) -> StreamEnd {
        let mut piece = std::mem::take(&mut self.buffer);
        let start = frame(&mut piece, self.framing);
        if self.framing == BodyFraming::Chunked {
            piece.extend_from_slice(b"0\r\n\r\n");
        }
        self.finish(&piece[start..])
    }

    fn finish(&mut self, bytes: &[u8]) -> StreamEnd {
        match self.send(bytes) {
            Ok(()) => StreamEnd::Whole,
            Err(_) => self.truncate(),
        }
    }

    /// Sends the buffered bytes as one piece, after the head if that was not yet sent.
    fn send_buffer(&mut self) -> io::Result<()> {
        let start = frame(&mut self.buffer, self.framing);
        let mut piece = std::mem::take(&mut self.buffer);
        let result = if self.sent == Sent::Nothing {
            self.sent = Sent::Head;
            self.wire.conn.socket.enable_keepalive();
            let mut all = Vec::with_capacity(512 + piece.len());
            self.head.write(self.framing, &mut all);
            all.extend_from_slice(&piece[start..]);
            self.send(&all)
        } else {
            self.send(&piece[start..])
        };
        piece.truncate(SIZE_LINE_BYTES);
        self.buffer = piece;
        result
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let deadline = self.wire.write_deadline(bytes.len());
        self.wire.send(bytes, deadline).inspect_err(|_| self.sent = Sent::Broken)
    }
}

/// Frames the buffered bytes as a chunk if the body is chunked. Returns the offset of the first
/// byte to send.
fn frame(buffer: &mut Vec<u8>, framing: BodyFraming) -> usize {
    let bytes = buffer.len().saturating_sub(SIZE_LINE_BYTES);
    if bytes == 0 {
        return buffer.len();
    }
    if framing != BodyFraming::Chunked {
        return SIZE_LINE_BYTES;
    }
    let line = format!("{bytes:x}\r\n");
    let start = SIZE_LINE_BYTES - line.len();
    buffer[start..SIZE_LINE_BYTES].copy_from_slice(line.as_bytes());
    buffer.extend_from_slice(b"\r\n");
    start
}

impl Write for StreamBody<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.sent == Sent::Broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let full = SIZE_LINE_BYTES + STREAM_HELD_BYTES_MAX;
        if self.buffer.len() == full && !bytes.is_empty() {
            self.send_buffer()?;
        }
        let count = bytes.len().min(full - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.sent {
            Sent::Broken => Err(io::ErrorKind::BrokenPipe.into()),
            Sent::Head if self.buffer.len() == SIZE_LINE_BYTES => Ok(()),
            _ => self.send_buffer(),
        }
    }
}
