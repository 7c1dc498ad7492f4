//! Performance of the pages: the numbers of the README.

use crate::driver::Browser;
use crate::harness::{Astra, Server};
use serde_json::{Map, Value, json};

/// Starts Astra with this number of services and waits until they are up.
pub fn crowd(count: usize) -> Astra {
    let service = |number| (format!("service-{number:03}"), json!({"cmd": ["sleep", "600"]}));
    let services: Map<String, Value> = (0..count).map(service).collect();
    let astra = Astra::start(Value::Object(services));
    let last = format!("service-{:03}", count - 1);
    astra.wait_for(&last, "running");
    astra
}

#[test]
fn two_hundred_services_are_painted_soon() {
    let astra = crowd(200);
    let browser = Browser::start();
    let mut times: Vec<u64> = Vec::new();
    for _ in 0..5 {
        browser.open(&format!("http://{}/", astra.address()));
        // One script that waits in the page: polling would slow the page down.
        let painted = browser.run(
            "return new Promise((resolve) => new PerformanceObserver((list) => {
                const mark = list.getEntries().find((it) => it.name === 'services-painted');
                if (mark) resolve(mark.startTime);
            }).observe({type: 'mark', buffered: true}))",
        );
        times.push(painted.as_f64().unwrap().round() as u64);
    }
    browser.wait("all have rows", "return document.querySelectorAll('tbody tr').length === 200");
    times.sort_unstable();
    println!("first paint of 200 services, ms: {times:?}");
    // This is a debug build, on any machine, next to other tests.
    assert!(times[0] < 1000, "{times:?}");
    browser.expect_quiet_console();
}

#[test]
fn page_stays_usable_at_ten_thousand_lines_per_second() {
    let server = Server::start();
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address()));
    // 100 lines each 10 ms, by the clock, so that delays are made up for.
    server.run(
        "exec python3 -uc '
import sys, time
began, sent = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * 10000)
    sys.stdout.write(\"\".join(f\"line {n} of a flood that goes on and on\\n\" for n in range(sent, due)))
    sys.stdout.flush()
    sent = due
    time.sleep(0.01)
'",
    );
    browser.wait_for_text(".log", "of a flood");
    let measured = browser.run(
        "return new Promise((resolve) => {
            const gaps = [];
            let last = performance.now();
            const end = last + 10000;
            const total = () => Number(document.querySelector('.log-state').innerText.replace(/\\D/g, ''));
            const before = total();
            const tick = () => {
                const now = performance.now();
                gaps.push(now - last);
                last = now;
                if (now < end) return setTimeout(tick, 0);
                gaps.sort((a, b) => a - b);
                resolve({longest: gaps.at(-1), p99: gaps[Math.floor(gaps.length * 0.99)],
                    lines: total() - before, rows: document.querySelectorAll('.log-row').length});
            };
            tick();
        })",
    );
    println!("10 s at 10,000 lines a second: {measured}");
    assert!(measured["lines"].as_u64().unwrap() > 60_000, "{measured}");
    assert!(measured["longest"].as_f64().unwrap() < 500.0, "{measured}");
    assert!(measured["rows"].as_u64().unwrap() < 200, "{measured}");
    browser.click("Pause");
    browser.wait_for_text(".log-state", "Paused");
    browser.expect_quiet_console();
}
