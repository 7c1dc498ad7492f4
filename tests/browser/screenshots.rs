//! Takes a screenshot of every view into docs/screenshots: `make screenshots`.

use crate::driver::{Browser, DESKTOP, PHONE, Viewport};
use crate::harness::{Astra, Server, Web};
use serde_json::json;
use std::fs;
use std::path::Path;

/// The number of usage samples before the first screenshot, so that the lines of CPU and memory
/// are visible.
const POINTS: usize = 45;

fn draw(browser: &Browser, view: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
    fs::create_dir_all(&folder).expect("a folder for pictures");
    for (viewport, name) in [
        (DESKTOP, "desktop-light"),
        (Viewport { scheme: "dark", ..DESKTOP }, "desktop-dark"),
        (Viewport { scheme: "light", ..PHONE }, "phone-light"),
        (PHONE, "phone-dark"),
    ] {
        browser.set_viewport(viewport);
        // Two frames: one to lay the page out, one to fill its log.
        browser.run(
            "return new Promise((done) => requestAnimationFrame(() =>
            requestAnimationFrame(() => setTimeout(done, 300))))",
        );
        let picture = browser.screenshot();
        fs::write(folder.join(format!("{view}-{name}.png")), picture).expect("a picture");
    }
    browser.set_viewport(DESKTOP);
}

fn services(web: &Web) -> Astra {
    let busy = "while :; do i=$((i+1)); n=0; while [ $n -lt $((i % 9 * 9000)) ]; do n=$((n+1)); \
        done; sleep 0.4; done";
    let talk = "exec python3 -uc '
import itertools, time
G, Y, R, C, B, O = (f\"\\x1b[{code}m\" for code in (32, 33, 31, 36, 1, 0))
D = (\"care\", \"astra\")
for i in itertools.count(1):
    if i % 23 == 0: print(f\"{R}ERROR{O} no answer from {C}rag{O} within 2 s, asked again\")
    elif i % 7 == 0: print(f\"{Y}WARN{O}  slow answer from {C}memory{O}: {B}{40 + i % 300} ms{O}\")
    else: print(f\"{G}INFO{O}  question {i} answered from {C}{D[i % 2]}{O} in {B}{i * 7 % 53} ms{O}\")
    time.sleep(0.15)
'";
    Astra::start(json!({
        "migrate": {"cmd": "echo tables are there", "restart_policy": {"mode": "never"}},
        "memory": {"cmd": busy, "port": 7050, "depends_on": {"migrate": "completed"},
            "env": {"MEMORY_TOKEN": "t", "MEMORY_MASK_PII": "true",
                "DATABASE_URL": "postgres://ann:word@localhost/memory"},
            "health_checks": {"database": {"cmd": ["true"]}, "http_endpoint": {"url": web.url("/ok")}}},
        "rag": {"cmd": busy, "port": 7060, "depends_on": ["migrate"],
            "health_check": {"tcp": format!("127.0.0.1:{}", web.port())}},
        "brain": {"cmd": talk, "port": 7030, "depends_on": {"memory": "healthy", "rag": "healthy"},
            "health_check": {"url": web.url("/ok")},
            "env": {"BRAIN_MODEL": "small", "BRAIN_API_KEY": "k"}},
        "tts": {"cmd": "sleep 1; echo no voices >&2; exit 3", "port": 7040, "optional": true,
            "start_seconds": 1,
            "restart_policy": {"max_restarts": 1000, "backoff_seconds": 600,
                "max_backoff_seconds": 600}},
        "indexer": {"cmd": "exec sleep 600", "depends_on": ["rag"]},
        "mailer": {"cmd": "echo cannot reach the mail server; exit 2",
            "restart_policy": {"mode": "never"}},
        "reports": {"cmd": "exec sleep 600", "autostart": false, "optional": true},
        "web": {"cmd": busy, "port": 3000, "optional": true, "depends_on": ["brain"],
            "health_check": {"url": web.url("/ok")}},
    }))
}

#[test]
#[ignore = "draws pictures: make screenshots"]
fn every_view_has_a_screenshot() {
    let web = Web::start(200);
    let astra = services(&web);
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    browser.wait_for_text("tr[data-service=tts]", "backoff");
    browser.wait_for_text("tr[data-service=web]", "healthy");
    astra.settle("restart", "rag");
    for points in (5..=POINTS).step_by(5) {
        // In steps, each shorter than the timeout.
        browser.wait(
            "lines of CPU grow",
            &format!(
                "return (document
            .querySelector('tr[data-service=web] .spark-line').getAttribute('d') ?? '')
            .split('L').length > {points}"
            ),
        );
    }
    draw(&browser, "astra-table");
    browser.click("Select memory");
    browser.click("Select rag");
    browser.click("Restart selected");
    browser.wait_for_text("dialog", "Restart 2 services?");
    draw(&browser, "astra-question");
    browser.click_in("dialog", "Cancel");
    browser.click("Clear selection");
    browser.run("location.hash = 'brain'");
    browser.wait_for_text(".log", "question");
    draw(&browser, "astra-log");
    browser.run("location.hash = 'memory'");
    browser.click("Details");
    browser.wait_for_text(".facts", "MEMORY_TOKEN");
    browser.click("Check now");
    browser.wait_for_text(".facts", "ok");
    draw(&browser, "astra-details");
    draw_shell(&browser);
}

fn draw_shell(browser: &Browser) {
    let server = Server::start();
    server.run_to_end("git --version");
    server.run_to_end("make -j4 release || exit 2");
    server.run("exec sleep 600");
    server.post("/kill").expect(200);
    browser.open(&format!("http://{}/", server.address()));
    browser.fill(
        "Command",
        "for i in $(seq 41); do printf \"\\033[32mok\\033[0m %s tests of part \\033[36m%s\\033[0m\\n\" $((i * 7 % 90)) $i; sleep 0.03; done; printf \"Publish them? [y/N] \"; read answer",
    );
    browser.click("Start");
    browser.wait_for_text(".log", "Publish them?");
    draw(browser, "shell");
}
