//! The least that keeps many commands and their logs: one thread for all pipes and all ends.
//!
//! `supervise --count N --folder F -- COMMAND` runs the command N times, and appends what each
//! prints to a file of its own. It restarts nothing, stamps nothing, and is asked nothing.

use limits::{command, option};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::process::{Pid, PidfdFlags, Resource, getrlimit, pidfd_open, setrlimit};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

struct Service {
    child: Child,
    _end: OwnedFd,
    output: io::PipeReader,
    log: File,
}

fn main() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let (count, folder, command): (u64, String, _) =
        (option("count", 1), option("folder", ".".into()), command());
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut services: Vec<Service> = (0..count)
        .map(|number| start(&command, &folder, number, &epoll))
        .collect::<io::Result<_>>()?;
    let mut block = vec![0; 65536];
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let service = &mut services[(event.data.u64() / 2) as usize];
            if event.data.u64() % 2 == 1 {
                service.child.wait()?;
                continue;
            }
            let read = service.output.read(&mut block)?;
            service.log.write_all(&block[..read])?;
        }
    }
}

/// Starts the command, and has `epoll` watch its output (an even number) and its end (an odd one).
fn start(command: &[String], folder: &str, number: u64, epoll: &OwnedFd) -> io::Result<Service> {
    let (output, into) = io::pipe()?;
    let child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(into.try_clone()?)
        .stderr(into)
        .spawn()?;
    let end = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let once = EventFlags::IN | EventFlags::ONESHOT;
    epoll::add(epoll, &output, EventData::new_u64(number * 2), EventFlags::IN | EventFlags::ET)?;
    epoll::add(epoll, &end, EventData::new_u64(number * 2 + 1), once)?;
    let log =
        OpenOptions::new().create(true).append(true).open(format!("{folder}/{number}.log"))?;
    Ok(Service { child, _end: end, output, log })
}
