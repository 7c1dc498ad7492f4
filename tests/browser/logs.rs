//! The live log: long output, control sequences, search, pause and follow.

use crate::driver::Browser;
use crate::harness::{Server, eventually};
use serde_json::json;

fn page(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address()));
    browser
}

/// Returns the number of log rows on the page.
const ROWS: &str = "return document.querySelectorAll('.log-row').length";

#[test]
fn command_output_never_becomes_markup() {
    let server = Server::start();
    let wild = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>&amp;";
    server.run(&format!("echo '{wild}'; exec -a '{wild}' sleep 60 2>/dev/null || sleep 60"));
    let browser = page(&server);
    browser.wait_for_text(".log", wild);
    browser.wait_for_text(".history", "<img");
    browser.fill("Search the log", "<img");
    browser.wait_for_text(".log mark", "<img");
    assert!(browser.run("return window.pwned ?? null").is_null());
    assert_eq!(browser.run("return document.querySelectorAll('img').length"), 0);
    browser.expect_quiet_console();
}

#[test]
fn colours_and_redrawn_lines_are_rendered() {
    let server = Server::start();
    server.run(
        "printf '\\033[1;31mbold red\\033[0m \\033[38;2;10;200;30mtrue\\033[0m \
         \\033[48;5;196mback\\033[0m \\033]0;title\\007plain\\n'; printf '10%%\\r99%%\\r100%%\\n'; \
         sleep 60",
    );
    let browser = page(&server);
    browser.wait_for_text(".log", "100%");
    assert!(!browser.text(".log").contains("99%") && !browser.text(".log").contains("title"));
    let style = |text: &str, what: &str| {
        let script = "const it = [...document.querySelectorAll('.log span')]
            .find((it) => it.textContent === arguments[0]);
            return getComputedStyle(it)[arguments[1]]";
        browser.run_with(script, &json!([text, what])).as_str().unwrap().to_owned()
    };
    assert_eq!(style("bold red", "fontWeight"), "700");
    assert_eq!(style("bold red", "color"), "rgb(255, 128, 120)");
    assert_eq!(style("true", "color"), "rgb(10, 200, 30)");
    assert_eq!(style("back", "backgroundColor"), "rgb(255, 0, 0)");
    browser.expect_quiet_console();
}

#[test]
fn only_visible_lines_of_a_million_are_rendered() {
    let server = Server::start();
    server.run_to_end("seq 1000000");
    let browser = page(&server);
    browser.wait_for_text(".log-state", "1,000,000 lines, ended");
    browser.wait_for_text(".log", "999999");
    let go = |script: &str, text: &str| {
        browser
            .run(&format!("const log = document.querySelector('.log'); log.scrollTop = {script}"));
        browser.wait_for_text(".log", text);
    };
    go("0", "\n1\n");
    go("log.scrollHeight / 2", "5000");
    // All numbers are shown beside the lines that have them.
    let agree = "const rows = [...document.querySelectorAll('.log-row:not([hidden])')];
        return rows.length > 10 && rows.every((row) => row.querySelector('.log-number').textContent
            === row.querySelector('.log-text').textContent)";
    browser.wait("numbers and lines agree", agree);
    go("log.scrollHeight", "1000000");
    assert!(browser.run(ROWS).as_u64().unwrap() < 200);
    browser.expect_quiet_console();
}

#[test]
fn search_finds_lines_and_shows_their_context() {
    let server = Server::start();
    server.run("seq 5000 | sed 's/^1234$/the Needle is here/'; sleep 60");
    let browser = page(&server);
    browser.wait_for_text(".log-state", "5,000 lines");
    browser.fill("Search the log", "needle is");
    browser.wait_for_text(".log-state", "1 found");
    browser.wait_for_text(".log mark", "Needle is");
    browser.run("document.querySelector('.log mark').click()");
    browser.wait_for_text(".log", "1233\n");
    browser.wait_for_text(".log", "the Needle is here");
    browser.fill("Search the log", "no such (thing");
    browser.wait_for_text(".log-state", "0 found");
    // The last thousand of 3,439 are shown.
    browser.fill("Search the log", "1");
    browser.wait_for_text(".log-state", "1,000+ found");
    browser.expect_quiet_console();
}

#[test]
fn scrolled_log_keeps_its_place_and_paused_log_stops() {
    let server = Server::start();
    server.run("i=0; while [ ! -e stop ]; do i=$((i+1)); echo line $i; sleep 0.01; done");
    let browser = page(&server);
    browser.wait(
        "it is long",
        "const log = document.querySelector('.log');
        return log && log.scrollHeight > 3 * log.clientHeight",
    );
    browser.run("document.querySelector('.log').scrollTop = 0");
    browser.wait_for_text(".log", "line 1\n");
    let total = "return Number(document.querySelector('.log-state').innerText.replace(/\\D/g, ''))";
    let before = browser.run(total).as_u64().unwrap();
    browser.wait_with("lines go on", &format!("{total} > arguments[0] + 20"), &json!([before]));
    assert!(browser.text(".log").contains("line 1\n"), "what is read stays");
    browser.click("Jump to the end");
    browser.wait(
        "the end is followed",
        "const log = document.querySelector('.log');
        return log.scrollTop + log.clientHeight >= log.scrollHeight - 2",
    );
    browser.click("Pause");
    browser.wait_for_text(".log-state", "Paused");
    let shown = browser.text(".log");
    let printed = || server.get("/logs?lines=1").expect(200).json()["total_lines"].as_u64();
    let before = printed();
    eventually("50 more lines are printed", || {
        (printed() > before.map(|lines| lines + 50)).then_some(())
    });
    assert_eq!(browser.text(".log"), shown);
    browser.click("Resume");
    browser.wait_with(
        "it goes on",
        "return document.querySelector('.log').innerText
        !== arguments[0]",
        &json!([shown]),
    );
    browser.expect_quiet_console();
}

#[test]
fn wrap_and_times_are_remembered_and_the_log_is_downloaded() {
    let server = Server::start();
    let long = "word ".repeat(200);
    server.run(&format!("echo '{long}'; sleep 60"));
    let browser = page(&server);
    browser.wait_for_text(".log", "word");
    let is_wide = "const log = document.querySelector('.log');
        return log.scrollWidth > log.clientWidth + 2";
    assert_eq!(browser.run(is_wide), true);
    browser.click("Wrap");
    browser.wait("it is wrapped", &format!("return !(() => {{ {is_wide} }})()"));
    browser.click("Times");
    browser.wait(
        "times are seen",
        "const time = document.querySelector('.log-time');
        return /^\\d\\d:\\d\\d:\\d\\d$/.test(time.innerText)",
    );
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for_text(".log", "word");
    assert_eq!(browser.run(is_wide), false);
    let text = browser.run(
        "return fetch([...document.querySelectorAll('a')]
        .find((it) => it.textContent === 'Download').href).then((answer) => answer.text())",
    );
    assert_eq!(text.as_str().unwrap().trim_end(), long.trim_end());
    browser.expect_quiet_console();
}

#[test]
fn wrapped_log_of_long_lines_scrolls_end_to_end() {
    let server = Server::start();
    server.run("seq 300 | sed \"s/$/ $(printf 'long %.0s' $(seq 100))/\"; sleep 60");
    let browser = page(&server);
    browser.wait_for_text(".log-state", "300 lines");
    browser.click("Wrap");
    let lines = "const log = document.querySelector('.log'), seen = log.getBoundingClientRect();
        const shown = [...document.querySelectorAll('.log-row:not([hidden])')].filter((row) => {
            const box = row.getBoundingClientRect();
            return box.bottom > seen.top + 1 && box.top < seen.bottom - 1;
        }).map((row) => Number(row.querySelector('.log-number').textContent));";
    browser.wait("the last line is seen", &format!("{lines} return shown.at(-1) === 300"));
    let high = "return document.querySelector('.log-row').offsetHeight > 30";
    assert_eq!(browser.run(high), true, "lines take several rows");
    for (to, seen) in [
        ("0", "shown[0] === 1 && shown.length < 30"),
        ("log.scrollHeight / 2", "shown[0] > 100 && shown[0] < 200"),
        ("log.scrollHeight", "shown.at(-1) === 300"),
    ] {
        browser.run(&format!("{lines} log.scrollTop = {to}"));
        browser.wait(&format!("scrolled to {to}"), &format!("{lines} return {seen}"));
    }
    browser.expect_quiet_console();
}

#[test]
fn dropped_lines_are_shown_and_numbers_stay() {
    let server = Server::start_with(&["--log-max-bytes", "1000000"]);
    server.run_to_end("seq 100000");
    let first = server.get("/logs?after=0&limit=1").expect(200).json()["first"].as_u64().unwrap();
    assert!(first > 1000, "{first} is the first that is kept");
    let browser = page(&server);
    browser.wait_for_text(".log-state", "100,000 lines, ended");
    // The lines are drawn a frame after they are counted, and there is nothing to scroll before.
    browser.wait_for_text(".log", "100000");
    browser.run("document.querySelector('.log').scrollTop = 0");
    browser.wait_for_text(".log", "(this line is no longer kept)");
    let to = "const log = document.querySelector('.log');
        log.scrollTop = log.scrollHeight * (arguments[0] / 100000)";
    browser.run_with(to, &json!([first + 300]));
    let agree = "const rows = [...document.querySelectorAll('.log-row:not([hidden])')];
        return rows.length > 10 && rows.every((row) => row.querySelector('.log-number').textContent
            === row.querySelector('.log-text').textContent)";
    browser.wait("numbers and lines agree", agree);
    browser.expect_quiet_console();
}
