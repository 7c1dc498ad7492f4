//! The init container that waits for dependencies.

use super::notes::Notes;
use super::pod::{Container, ContainerSecurity};
use crate::protocol::{Condition, RestartMode};
use crate::supervisor::Service;
use std::collections::BTreeMap;

/// Waits until each port accepts a connection: a Service does as soon as a pod behind it is ready.
/// Since it may run in any image, it uses the first available of three programs.
const WAIT: &str = r#"reach() {
  if command -v bash >/dev/null; then
    bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"
  elif command -v nc >/dev/null; then
    nc -z -w 2 "$1" "$2"
  else
    python3 -c 'import socket, sys; socket.create_connection(sys.argv[1:], 2)' "$1" "$2"
  fi 2>/dev/null
}
if ! command -v bash >/dev/null && ! command -v nc >/dev/null && ! command -v python3 >/dev/null
then
  echo "no bash, nc or python3 to wait with: export with --wait-image busybox" >&2
  exit 1
fi
while [ "$#" -gt 1 ]; do
  echo "waiting for $1:$2"
  until reach "$1" "$2"; do sleep 1; done
  shift 2
done
"#;

/// Returns the container that waits, if there are dependencies to wait for. `others` are all
/// services, with their names in the cluster. Notes dependencies that cannot be waited for.
pub(super) fn container(
    service: &Service,
    others: &BTreeMap<&str, (&Service, &str)>,
    image: &str,
    notes: &mut Notes<'_>,
) -> Option<Container> {
    let mut command: Vec<String> = ["/bin/sh", "-c", WAIT, "wait"].map(str::to_owned).to_vec();
    let before = command.len();
    for (other, condition) in &service.config.depends_on {
        let field = format!("depends_on.{other}");
        // A file with unknown dependencies is refused earlier.
        let Some((other, name)) = others.get(other.as_str()) else { continue };
        if *condition == Condition::Completed {
            notes.add(&field, completed(other, name));
        } else if let Some(port) = other.config.port {
            command.extend([(*name).to_owned(), port.to_string()]);
        } else {
            notes.add(&field, "is left out: it has no port to wait for");
        }
    }
    let (name, image) = ("wait".to_owned(), image.to_owned());
    (command.len() > before).then(|| waiting_container(name, image, command))
}

fn waiting_container(name: String, image: String, command: Vec<String>) -> Container {
    let security_context = Some(ContainerSecurity::without_privileges());
    Container { name, image, command, security_context, ..Container::default() }
}

/// Returns the warning about waiting for a service to complete.
fn completed(other: &Service, name: &str) -> String {
    if other.config.restart_policy.mode == RestartMode::Always {
        return "is left out: it always restarts, so it never completes".to_owned();
    }
    format!(
        "is left out: a pod can only learn of a Job's end from the API. Apply the Job first, then \
         `kubectl wait --for=condition=complete --timeout=10m job/{name}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    #[test]
    fn the_wait_ends_when_the_last_port_accepts() {
        let (open, late) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = late.local_addr().unwrap();
        let ports = [open.local_addr().unwrap().port(), address.port()].map(|p| p.to_string());
        // No connection is accepted until the port is bound again.
        drop(late);
        let mut wait = Command::new("/bin/sh")
            .args(["-c", WAIT, "wait", "127.0.0.1", &ports[0], "127.0.0.1", &ports[1]])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(wait.stdout.take().unwrap()).lines();
        for port in &ports {
            assert_eq!(said.next().unwrap().unwrap(), format!("waiting for 127.0.0.1:{port}"));
        }
        assert!(wait.try_wait().unwrap().is_none(), "it waits");
        let _late = TcpListener::bind(address).unwrap();
        assert!(wait.wait().unwrap().success());
    }

    #[test]
    fn an_image_without_a_suitable_program_fails() {
        let mut wait = Command::new("/bin/sh");
        wait.args(["-c", WAIT, "wait", "127.0.0.1", "1"]).env("PATH", "/no/such");
        let output = wait.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("--wait-image busybox"));
    }
}
