//! Interactive programs, driven over the API alone, as an agent drives them.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};

/// A session with one program, which reads each byte once.
struct Talk<'a> {
    server: &'a Server,
    next: u64,
}

impl<'a> Talk<'a> {
    fn begin(server: &'a Server, command: &str) -> Self {
        let pty = json!({"rows": 24, "cols": 80});
        let body = json!({"command": command, "pty": pty, "env": {"TERM": "xterm"}});
        server.post_json("/start", &body).expect(201);
        Self { server, next: 0 }
    }

    fn say(&self, text: &str) {
        let answer = self.server.request("POST /stdin", &[], text.as_bytes()).expect(200).json();
        assert_eq!(answer["written"], text.len());
    }

    /// Reads until `text` is printed, and returns all output up to there.
    #[track_caller]
    fn hear_until(&mut self, text: &str) -> String {
        let mut output = String::new();
        eventually(&format!("it says {text:?}"), || {
            let path = format!("/logs?after={}&wait=0.05&strip_ansi=true", self.next);
            let page = self.server.get(&path).expect(200).json();
            self.next = page["next"].as_u64().unwrap();
            if page["lines_returned"] != 0 {
                output += page["content"].as_str().unwrap();
                output.push('\n');
            }
            // An open line is repeated in each answer, as far as it is printed.
            let all = output.clone() + page["prompt"].as_str().unwrap_or_default();
            all.contains(text).then_some(all)
        })
    }

    fn status(&self) -> Value {
        self.server.get("/status?wait=20").expect(200).json()
    }
}

#[test]
fn interpreter_answers_repeated_input() {
    let server = Server::start();
    let mut python = Talk::begin(&server, "exec python3 -iq");
    python.hear_until(">>> ");
    python.say("def double(x):\n");
    python.hear_until("... ");
    python.say("    return 2 * x\n\n");
    python.hear_until(">>> ");
    python.say("double(21)\n");
    assert!(python.hear_until("\n>>> ").contains("42"));
    python.say("1 / 0\n");
    assert!(python.hear_until("\n>>> ").contains("ZeroDivisionError: division by zero"));
    python.say("input('name? ')\n");
    python.hear_until("name? ");
    python.say("Ann\n");
    assert!(python.hear_until("\n>>> ").contains("'Ann'"));
    python.say("while True: pass\n\n");
    // The echo of an interrupt would precede the loop.
    python.hear_until("... ");
    eventually("it is busy", || {
        (server.get("/status").expect(200).json()["cpu_percent"].as_f64()? > 10.0).then_some(())
    });
    python.say("\u{3}");
    python.hear_until("KeyboardInterrupt");
    python.say("exit(3)\n");
    assert_eq!(python.status()["exit_code"], 3);
}

#[test]
fn terminal_password_is_not_logged() {
    let server = Server::start();
    let asks = "exec bash -c 'read -rsp \"Passphrase: \" x; echo; echo got ${#x}'";
    let opens =
        "exec python3 -c 'import getpass; print(\"got\", len(getpass.getpass()))' </dev/null";
    for (command, question) in [(asks, "Passphrase: "), (opens, "Password: ")] {
        let mut talk = Talk::begin(&server, command);
        talk.hear_until(question);
        talk.say("open sesame\n");
        talk.hear_until("got 11");
        assert_eq!(talk.status()["exit_code"], 0);
        let stored = std::fs::read_to_string(server.log_path()).unwrap();
        assert!(!stored.contains("sesame"), "{stored}");
    }
}

#[test]
fn a_question_is_asked_again_until_it_is_answered() {
    let server = Server::start();
    let command = "while printf 'Go on? [y/n] '; read x; do case $x in y) echo went on; exit 0;; \
                   n) exit 1;; *) echo 'y or n, please';; esac; done";
    let mut talk = Talk::begin(&server, command);
    talk.hear_until("[y/n] ");
    let text = server.request("GET /status", &["Accept: text/plain"], b"").expect(200).text();
    assert!(text.contains("Go on? [y/n] \n[still running, its last line is open"));
    talk.say("what?\n");
    talk.hear_until("y or n, please\nGo on? [y/n] ");
    talk.say("y\n");
    talk.hear_until("went on");
    assert_eq!(talk.status()["exit_code"], 0);
}

#[test]
fn full_screen_editor_writes_a_file() {
    let server = Server::start();
    let file = server.folder().join("note.txt");
    let mut vi = Talk::begin(&server, "exec vi -u NONE -n note.txt");
    vi.hear_until("note.txt");
    vi.say("ihello from afar\u{1b}");
    vi.hear_until("hello from afar");
    server.post_json("/resize", &json!({"rows": 40, "cols": 100})).expect(200);
    vi.say(":wq\r");
    assert_eq!(vi.status()["exit_code"], 0);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hello from afar\n");
}

#[test]
fn full_screen_monitor_is_read_and_quit() {
    let server = Server::start();
    let mut top = Talk::begin(&server, "exec top -d 0.1");
    let screen = top.hear_until("PID");
    assert!(screen.contains("load average") && screen.contains("Tasks:"), "{screen}");
    top.say("q");
    let ended = top.status();
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(0)));
}

#[test]
fn pager_scrolls_and_quits() {
    let server = Server::start();
    let mut less = Talk::begin(&server, "seq 1000 | less");
    less.hear_until("\n23\n:");
    less.say(" ");
    less.hear_until("\n46\n:");
    less.say("q");
    assert_eq!(less.status()["exit_code"], 0);
}

#[test]
fn job_control_works_on_a_terminal() {
    // An interactive shell ignores SIGTERM.
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    let mut bash = Talk::begin(&server, "PS1='$ ' exec bash --norc --noprofile -i");
    bash.hear_until("$ ");
    bash.say("sleep 61\n");
    // By then the shell has made it the foreground job.
    let sleeps = || server.living().iter().any(|process| process.contains("sleep 61"));
    eventually("it sleeps", || sleeps().then_some(()));
    bash.say("\u{1a}");
    bash.hear_until("Stopped");
    bash.say("bg; sleep 62 &\n");
    bash.hear_until("$ ");
    bash.say("jobs\n");
    bash.hear_until("Running                 sleep 62 &");
    assert_eq!(server.living().len(), 3);
    server.post("/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn development_server_starts_serves_and_stops() {
    let server = Server::start();
    std::fs::write(server.folder().join("index.html"), "first").unwrap();
    let mut dev = Talk::begin(&server, "exec python3 -u -m http.server --bind 127.0.0.1 0");
    let output = dev.hear_until("/) ...");
    let port = output.split("port ").nth(1).unwrap().split(' ').next().unwrap();
    let fetch = || {
        let mut page = ureq::get(format!("http://127.0.0.1:{port}/")).call().unwrap();
        page.body_mut().read_to_string().unwrap()
    };
    assert_eq!(fetch(), "first");
    dev.hear_until("\"GET / HTTP/1.1\" 200");
    std::fs::write(server.folder().join("index.html"), "second").unwrap();
    assert_eq!(fetch(), "second");
    dev.say("\u{3}");
    assert!(dev.hear_until("exiting").contains("interrupt"));
    assert_eq!(dev.status()["exit_code"], 0);
}
