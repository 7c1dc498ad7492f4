//! The epoll descriptors of the engine's threads: what wakes them, and what their events mean.

use super::error::Result;
use crate::error::SystemError;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Number of a capture, unique within one thread and never reused. Below 2^63 - 1.
pub type CaptureKey = u64;

/// The subject of an epoll event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The event descriptor: there is something new to do.
    Wake,
    /// The output of a capture is readable, or has ended.
    Output(CaptureKey),
    /// The run of a capture has ended.
    End(CaptureKey),
}

/// The 64 bits of user data in an event: all ones to wake, else the key and, in the lowest bit,
/// whether this is the end.
impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        match token {
            Token::Wake => Self::MAX,
            Token::Output(key) => key << 1,
            Token::End(key) => key << 1 | 1,
        }
    }
}

impl From<u64> for Token {
    fn from(data: u64) -> Self {
        match data {
            u64::MAX => Self::Wake,
            _ if data & 1 == 0 => Self::Output(data >> 1),
            _ => Self::End(data >> 1),
        }
    }
}

/// Returns the event that epoll is to report with this token.
pub fn event(flags: EpollFlags, token: Token) -> EpollEvent {
    EpollEvent::new(flags, token.into())
}

/// Creates an epoll descriptor and an event descriptor that it watches as [`Token::Wake`].
///
/// # Errors
/// `System` if a descriptor cannot be created.
pub fn epoll_to_wake() -> Result<(Epoll, EventFd)> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|e| SystemError::new("make an epoll descriptor", e))?;
    let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|e| SystemError::new("make an event descriptor", e))?;
    epoll
        .add(&wake, event(EpollFlags::EPOLLIN, Token::Wake))
        .map_err(|e| SystemError::new("watch a descriptor", e))?;
    Ok((epoll, wake))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_conversion_to_bits() {
        let last = u64::MAX / 2 - 1;
        for token in
            [0, 1, 2, last].into_iter().flat_map(|key| [Token::Output(key), Token::End(key)])
        {
            assert_eq!(Token::from(u64::from(token)), token);
        }
        assert_eq!(Token::from(u64::from(Token::Wake)), Token::Wake);
        assert_ne!(u64::from(Token::End(last)), u64::from(Token::Wake));
    }
}
