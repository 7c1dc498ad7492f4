//! What systemd is told of the server (`sd_notify(3)`): nothing where it did not start us.

use sd_notify::NotifyState;
use std::thread;
use std::time::Duration;

/// The longest status that is told, in characters: a line in a terminal or two.
const STATUS_CHARACTERS_MAX: usize = 200;

/// Says that the server takes requests. Does not wait for an answer, as none of these do.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that the server is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the configuration is read again while `work` does so.
pub fn while_reloading(work: impl FnOnce()) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("cannot read the clock: {error}"),
    }
    work();
    ready();
}

/// Says in a line what goes on, for `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(&in_one_line(line))]);
}

/// Tells the watchdog, from a thread of its own that lives until the process ends, that the server
/// lives: twice in each time that it allows, and only where `answers` says so. Does nothing where
/// no watchdog waits.
pub fn feed_watchdog(answers: impl Fn(Duration) -> bool + Send + 'static) {
    let Some(allowed) = sd_notify::watchdog_enabled() else { return };
    let interval = allowed / 2;
    let work = move || loop {
        if answers(interval) {
            tell(&[NotifyState::Watchdog]);
        } else {
            log::error!("self-check failed; watchdog not notified");
        }
        thread::sleep(interval);
    };
    let thread = thread::Builder::new().name("watchdog".into()).stack_size(512 * 1024).spawn(work);
    if let Err(error) = thread {
        log::error!("no thread to notify the watchdog: {error}");
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("cannot notify systemd: {error}");
    }
}

/// A line that is one: whatever follows a newline would be another word to systemd.
fn in_one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(STATUS_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_speak_to_systemd_through_its_status() {
        assert_eq!(
            in_one_line("running: true\nWATCHDOG=trigger"),
            "running: true WATCHDOG=trigger"
        );
        assert_eq!(in_one_line(&"é".repeat(300)).chars().count(), STATUS_CHARACTERS_MAX);
    }
}
