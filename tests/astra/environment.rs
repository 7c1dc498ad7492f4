//! The initial environment and descriptors of a service.

use crate::harness::{Astra, binary, eventually, fixture};
use serde_json::{Value, json};

/// Prints its environment, sorted, and ends.
fn prints(more: &Value) -> Value {
    let mut service = json!({"cmd": "env | sort"});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service
}

#[test]
fn service_inherits_the_environment_without_our_settings() {
    let mut command = binary();
    command
        .env("LLM_SHELL_TOKEN", "secret-of-16-chars")
        .env("LLM_SHELL_OTHER", "x")
        .env("MINE", "kept");
    let astra = Astra::start_command(command, json!({"web": prints(&json!({}))}));
    let log = eventually("it has printed", || {
        let folder = std::fs::read_dir(astra.folder().join("logs/web")).ok()?;
        let log = folder.filter_map(Result::ok).find(|it| it.path().extension().is_some())?;
        let text = std::fs::read_to_string(log.path()).unwrap();
        text.contains("MINE=kept").then_some(text)
    });
    assert!(log.contains("RUN_ID="), "{log}");
    assert!(!log.contains("LLM_SHELL_") && !log.contains("secret"), "{log}");
}

#[test]
fn env_adds_replaces_removes_and_overrides_env_file() {
    let mut command = binary();
    command.env("MINE", "kept").env("GONE", "x").env("OTHER", "old").env("PLACE", "here");
    let env = json!({"OTHER": "new", "GONE": null, "BOTH": "env", "FULL": "${PLACE}/${NO:-none}"});
    let astra = Astra::start_command(
        command,
        json!({"web": prints(&json!({"env": env, "env_file": "web.env", "autostart": false}))}),
    );
    std::fs::write(astra.folder().join("web.env"), "BOTH=file\nFILE='a b'\n# no\n").unwrap();
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "exited");
    let lines = astra.lines("web");
    for line in ["MINE=kept", "OTHER=new", "BOTH=env", "FILE=a b", "FULL=here/none"] {
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
    assert!(!lines.iter().any(|it| it.starts_with("GONE=")), "{lines:?}");
    // The file is read anew for each run.
    std::fs::write(astra.folder().join("web.env"), "FILE=other\n").unwrap();
    astra.ask("restart", "web").expect(200);
    astra.wait_for_line("web", "FILE=other");
}

#[test]
fn variables_expand_except_in_shell_text() {
    let mut command = binary();
    command.env("PLACE", "below").env("WORD", "ours");
    let folder =
        json!({"cmd": ["sh", "-c", "pwd; echo ${WORD} $WORD ${NO:-none}"], "cwd": "${PLACE}"});
    let shell = json!({"cmd": "WORD=theirs; echo ${WORD} $WORD ${NO:-none}"});
    let never = json!({"cmd": ["echo", "$WORD", "$$"]});
    let services = json!({
        "list": folder, "text": shell, "plain": never,
        "make": {"cmd": "mkdir -p below"},
    });
    let mut services = services;
    services["list"]["depends_on"] = json!({"make": "completed"});
    let astra = Astra::start_command(command, services);
    for name in ["list", "text", "plain"] {
        astra.wait_for(name, "exited");
    }
    let lines = astra.lines("list");
    assert!(lines[0].ends_with("/below"), "{lines:?}");
    // The argument was expanded before the shell ran: $WORD comes from the environment.
    assert_eq!(lines[1], "ours ours none");
    assert_eq!(astra.lines("text"), ["theirs theirs none"]);
    assert_eq!(astra.lines("plain"), ["$WORD $$"]);
}

#[test]
fn each_run_has_an_id_that_selects_its_log() {
    let astra = Astra::start(json!({"web": {"cmd": "echo $RUN_ID; exec sleep 60"}}));
    eventually("it has begun", || (astra.lines("web").len() == 1).then_some(()));
    astra.settle("restart", "web");
    eventually("it has begun again", || (astra.lines("web").len() == 2).then_some(()));
    let ids = astra.lines("web");
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let text = astra.get(&format!("/supervisor/logs/web?run={id}&format=text")).expect(200);
        assert_eq!(text.text().lines().next(), Some(&*id));
    }
}

#[test]
fn service_has_no_input_and_its_own_session() {
    let cmd = "cat; echo read; ls /proc/self/fd | wc -l; cat /proc/self/stat | cut -d' ' -f6; \
               echo $$; exec sleep 60";
    let astra = Astra::start(json!({"web": {"cmd": cmd}}));
    eventually("it has printed", || (astra.lines("web").len() == 4).then_some(()));
    let lines = astra.lines("web");
    assert_eq!(lines[0], "read");
    // Its standard three, and the one that `ls` opens.
    assert_eq!(lines[1].trim(), "4");
    assert_eq!(lines[2], lines[3], "it leads its session");
}

#[test]
fn service_inherits_the_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let astra = Astra::start(json!({"web": {"cmd": "ulimit -Sn; ulimit -Hn"}}));
    astra.wait_for("web", "exited");
    let shown = |limit: u64| if limit == u64::MAX { "unlimited".into() } else { limit.to_string() };
    assert_eq!(astra.lines("web"), [shown(soft), shown(hard)]);
}

#[test]
fn service_overriding_run_id_is_ended_as_a_whole() {
    let daemon = format!("python3 {} keep; echo $RUN_ID; exec sleep 60", fixture("daemon.py"));
    let astra = Astra::start(json!({
        "sets": {"cmd": daemon, "env": {"RUN_ID": "mine"}},
        "removes": {"cmd": daemon, "env": {"RUN_ID": null}},
    }));
    for name in ["sets", "removes"] {
        astra.wait_for_line(name, "ready");
        eventually("its id is printed", || (astra.lines(name).len() == 2).then_some(()));
        let id = astra.lines(name).into_iter().find(|line| line != "ready").unwrap();
        assert!(id.len() == 16, "it is ours: {id:?}");
        assert_eq!(astra.settle("stop", name), "stopped");
    }
    assert_eq!(astra.living(), Vec::<String>::new());
}
