//! The clients of a server that name themselves, each with the runs that it has started.

use super::tool::ClientRuns;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// The maximum number of clients remembered; of further ones, the one that was silent for longest
/// is forgotten.
const CLIENTS_MAX: usize = 1000;

/// The clients, the one that called last at the end.
#[derive(Debug, Default)]
pub struct KnownClients(Mutex<VecDeque<(String, Arc<ClientRuns>)>>);

impl KnownClients {
    /// Returns the runs of a client.
    pub fn runs_of(&self, id: &str) -> Arc<ClientRuns> {
        let mut clients = self.0.lock();
        let known = clients.iter().position(|(known, _)| known == id);
        let client = known.and_then(|place| clients.remove(place));
        let client = client.unwrap_or_else(|| (id.to_owned(), Arc::default()));
        let runs = Arc::clone(&client.1);
        clients.push_back(client);
        if clients.len() > CLIENTS_MAX {
            clients.pop_front();
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_clients_are_forgotten_first() {
        let clients = KnownClients::default();
        clients.runs_of("first").set_last("1");
        clients.runs_of("second").set_last("2");
        for number in 0..CLIENTS_MAX - 1 {
            assert_eq!(clients.runs_of("first").last().as_deref(), Some("1"));
            clients.runs_of(&number.to_string());
        }
        assert_eq!(clients.runs_of("second").last(), None);
    }
}
