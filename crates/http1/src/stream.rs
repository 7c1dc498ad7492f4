//! A body that is written piece by piece while the client reads.

use crate::answer::{BodyFraming, ResponseHead};
use crate::limits::STREAM_HELD_BYTES_MAX;
use crate::wire::Wire;
use std::io::{self, Write};
use std::time::Duration;

/// Room before a piece for its chunk's size line: six digits would do for 64 KiB.
const SIZE_LINE_BYTES: usize = 10;

/// Where a streamed body is written to.
///
/// What is written is held back until there are 64 KiB of it, or [`Write::flush`] is called:
/// that is then one piece and one write to the socket. A body that ends within the first 64 KiB
/// goes out together with its head, and with its length. A write blocks while the client does
/// not read, at most about 30 s a piece ([`crate::Limits::write`]); then it fails, and so does
/// every later one.
#[derive(Debug)]
pub struct StreamBody<'a> {
    wire: &'a mut Wire,
    envelope: ResponseHead<'a>,
    /// [`BodyFraming::Chunked`] or [`BodyFraming::UntilClose`], once the body outgrows its first piece.
    extent: BodyFraming,
    /// [`SIZE_LINE_BYTES`] of room, and what is held back.
    held: Vec<u8>,
    sent: Sent,
}

/// What the client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Head,
    /// The socket has failed.
    Broken,
}

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The client has all of it.
    Whole,
    /// The client has a part, or is gone.
    Cut,
    /// The client has nothing, so that it can still be told what happened.
    Unsent(io::Error),
}

impl<'a> StreamBody<'a> {
    /// A body that is about to be written; `extent` is what becomes of it when it grows long.
    pub(crate) fn new(wire: &'a mut Wire, envelope: ResponseHead<'a>, extent: BodyFraming) -> Self {
        Self { wire, envelope, extent, held: vec![0; SIZE_LINE_BYTES], sent: Sent::Nothing }
    }

    /// Whether the client has hung up, or has ended its sending side. Does not block.
    #[must_use]
    pub fn client_gone(&self) -> bool {
        self.wait_gone(Duration::ZERO)
    }

    /// Waits until the client has hung up, at most `within`. Whether it has.
    #[must_use]
    pub fn wait_gone(&self, within: Duration) -> bool {
        self.sent == Sent::Broken || self.wire.seat.socket.hung_up(within)
    }

    /// Sends what is held and the body's end, or shows the client that it is incomplete.
    pub(crate) fn end(mut self, result: io::Result<()>) -> Ending {
        match (result, self.sent) {
            (Err(error), Sent::Nothing) => Ending::Unsent(error),
            (Ok(()), Sent::Nothing) => self.send_whole(),
            (Ok(()), Sent::Head) => self.send_last(),
            (Err(error), Sent::Head) => {
                log::warn!("Request {}: its stream broke off: {error}", self.envelope.id);
                self.cut()
            }
            (_, Sent::Broken) => self.cut(),
        }
    }

    fn cut(&self) -> Ending {
        if self.extent == BodyFraming::UntilClose {
            self.wire.seat.socket.reset_on_close();
        }
        Ending::Cut
    }

    fn send_whole(&mut self) -> Ending {
        let body = &self.held[SIZE_LINE_BYTES..];
        let mut all = Vec::with_capacity(512 + body.len());
        self.envelope.write(BodyFraming::Length(body.len()), &mut all);
        all.extend_from_slice(body);
        self.finish(&all)
    }

    fn send_last(&mut self) -> Ending {
        let mut piece = std::mem::take(&mut self.held);
        let start = frame(&mut piece, self.extent);
        if self.extent == BodyFraming::Chunked {
            piece.extend_from_slice(b"0\r\n\r\n");
        }
        self.finish(&piece[start..])
    }

    fn finish(&mut self, bytes: &[u8]) -> Ending {
        match self.send(bytes) {
            Ok(()) => Ending::Whole,
            Err(_) => self.cut(),
        }
    }

    /// Sends the head where that was not yet done, and what is held as one piece.
    fn send_held(&mut self) -> io::Result<()> {
        let start = frame(&mut self.held, self.extent);
        let mut piece = std::mem::take(&mut self.held);
        let result = if self.sent == Sent::Nothing {
            self.sent = Sent::Head;
            self.wire.seat.socket.probe_when_quiet();
            let mut all = Vec::with_capacity(512 + piece.len());
            self.envelope.write(self.extent, &mut all);
            all.extend_from_slice(&piece[start..]);
            self.send(&all)
        } else {
            self.send(&piece[start..])
        };
        piece.truncate(SIZE_LINE_BYTES);
        self.held = piece;
        result
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let deadline = self.wire.write_deadline(bytes.len());
        self.wire.send(bytes, deadline).inspect_err(|_| self.sent = Sent::Broken)
    }
}

/// Makes a chunk of what is held, where the body is chunked. Where what is to be sent begins.
fn frame(held: &mut Vec<u8>, extent: BodyFraming) -> usize {
    let bytes = held.len().saturating_sub(SIZE_LINE_BYTES);
    if bytes == 0 {
        return held.len();
    }
    if extent != BodyFraming::Chunked {
        return SIZE_LINE_BYTES;
    }
    let line = format!("{bytes:x}\r\n");
    let start = SIZE_LINE_BYTES - line.len();
    held[start..SIZE_LINE_BYTES].copy_from_slice(line.as_bytes());
    held.extend_from_slice(b"\r\n");
    start
}

impl Write for StreamBody<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.sent == Sent::Broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let full = SIZE_LINE_BYTES + STREAM_HELD_BYTES_MAX;
        if self.held.len() == full && !bytes.is_empty() {
            self.send_held()?;
        }
        let count = bytes.len().min(full - self.held.len());
        self.held.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.sent {
            Sent::Broken => Err(io::ErrorKind::BrokenPipe.into()),
            Sent::Head if self.held.len() == SIZE_LINE_BYTES => Ok(()),
            _ => self.send_held(),
        }
    }
}
