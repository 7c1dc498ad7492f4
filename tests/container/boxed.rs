//! A container for the binary, as the image runs it: user, directories, environment, entry point,
//! and PID 1 of its own namespaces.

use super::dockerfile::{Dockerfile, root};
use crate::harness::{Answer, Instance, send};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The credentials of requests.
pub const TOKEN: &str = "Authorization: Bearer s3cret-token-0123";

/// Names and values of variables.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A running container.
pub struct Container {
    instance: Instance,
    file: Dockerfile,
    environment: Vec<(String, String)>,
}

impl Container {
    /// Does what `docker run --env … IMAGE ARGUMENTS` does. Prints a message and returns `None`
    /// if that is not permitted.
    pub fn run(environment: Pairs<'_>, arguments: &[&str]) -> Option<Self> {
        Self::run_with(("services.json", ""), environment, arguments)
    }

    /// Runs a container with a file, as name and text, mounted into the working directory.
    pub fn run_with(
        mounted: (&str, &str),
        environment: Pairs<'_>,
        arguments: &[&str],
    ) -> Option<Self> {
        let file = Dockerfile::read();
        let folder = is_permitted().then(|| tempfile::tempdir().unwrap())?;
        let workdir = folder.path().join("root").join(file.only("WORKDIR").trim_start_matches('/'));
        std::fs::create_dir_all(&workdir).unwrap();
        std::fs::write(workdir.join(mounted.0), mounted.1).unwrap();
        let command = boxed(&file, &folder, environment, arguments);
        let instance = Instance::start_in(command, folder).below_a_wrapper();
        let owned = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Some(Self { instance, file, environment: environment.iter().map(owned).collect() })
    }

    /// Runs a container until it ends by itself.
    pub fn run_to_end(environment: Pairs<'_>, arguments: &[&str]) -> Option<Output> {
        let folder = is_permitted().then(|| tempfile::tempdir().unwrap())?;
        let mut command = boxed(&Dockerfile::read(), &folder, environment, arguments);
        Some(command.output().unwrap())
    }

    /// Sends a request from inside, because the network is private.
    #[track_caller]
    pub fn ask(&self, host: &str, head: &str, headers: &[&str], body: &str) -> Answer {
        let network = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        let (address, body) = (self.address(), body.as_bytes());
        std::thread::scope(|scope| {
            let asking = scope.spawn(move || {
                // SAFETY: it changes only the network of this thread, which ends right after.
                let entered =
                    unsafe { nix::libc::setns(network.as_raw_fd(), nix::libc::CLONE_NEWNET) };
                assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
                send(address, host, head, headers, body)
            });
            asking.join().unwrap()
        })
    }

    /// Sends a request with the token to the published port.
    #[track_caller]
    pub fn ask_as_owner(&self, head: &str, body: &str) -> Answer {
        self.ask("127.0.0.1:8000", head, &[TOKEN], body)
    }

    /// Does what `docker exec CONTAINER ARGUMENTS` does.
    pub fn exec(&self, arguments: &[String]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid().to_string()]);
        command.args(["--mount", "--pid", "--net", "--root", "--wd"]);
        let (user, group) = self.file.only("USER").split_once(':').unwrap();
        command.args(["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]);
        prepare(&mut command, &self.file, &[]);
        command.envs(self.environment.iter().cloned()).args(arguments).output().unwrap()
    }
}

impl Deref for Container {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl DerefMut for Container {
    fn deref_mut(&mut self) -> &mut Instance {
        &mut self.instance
    }
}

/// Whether namespaces and users can be created here.
fn is_permitted() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.args(["setpriv", "--reuid", "10001", "true"]);
    let is_permitted = unshare.output().is_ok_and(|output| output.status.success());
    if !is_permitted {
        eprintln!("not permitted here: namespaces, and another user in them");
    }
    is_permitted
}

/// Returns the command that runs the entry point with these arguments.
fn boxed(
    file: &Dockerfile,
    folder: &TempDir,
    environment: Pairs<'_>,
    arguments: &[&str],
) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh"]).arg(root().join("tests/container/box.sh"));
    command.arg(folder.path().join("root")).arg(env!("CARGO_BIN_EXE_llm-shell"));
    let (user, group) = file.only("USER").split_once(':').unwrap();
    command.args([file.making_of_the_user(), user, group, file.only("WORKDIR")]);
    command.args(file.exec("VOLUME")).args(file.exec("ENTRYPOINT")).args(arguments);
    prepare(&mut command, file, environment);
    command
}

/// Replaces the environment of a command with the image's and more variables.
fn prepare(command: &mut Command, file: &Dockerfile, environment: Pairs<'_>) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear().env("PATH", path).stdin(Stdio::null());
    command.envs(file.environment()).envs(environment.iter().copied());
}
