//! HTTP over existing Unix streams.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// A function that creates the streams.
type Connect = dyn Fn() -> io::Result<UnixStream> + Send + Sync;

/// A connector that gets each connection from a function.
pub struct StreamConnector(Box<Connect>);

impl StreamConnector {
    /// Creates a connector that calls `connect`.
    pub fn new(connect: impl Fn() -> io::Result<UnixStream> + Send + Sync + 'static) -> Self {
        Self(Box::new(connect))
    }
}

impl fmt::Debug for StreamConnector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("StreamConnector")
    }
}

impl Connector for StreamConnector {
    type Out = StreamTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<StreamTransport>, Error> {
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = LazyBuffers::new(input, output);
        Ok(Some(StreamTransport { stream: (self.0)()?, buffers }))
    }
}

/// A stream with its buffers.
#[derive(Debug)]
pub struct StreamTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for StreamTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(within(timeout))?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| late(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(within(timeout))?;
        let count = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| late(error, timeout))?,
            }
        };
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    /// A stream that was closed meanwhile is detected at its next use, and replaced.
    fn is_open(&mut self) -> bool {
        self.stream.set_nonblocking(true).is_ok_and(|()| {
            let silent = matches!(
                self.stream.read(&mut [0]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock
            );
            silent && self.stream.set_nonblocking(false).is_ok()
        })
    }
}

fn within(timeout: NextTimeout) -> Option<Duration> {
    timeout.not_zero().map(|timeout| *timeout)
}

fn late(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
