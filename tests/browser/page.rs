//! User actions on a page, and assertions about its contents.

use crate::driver::Browser;
use crate::harness::eventually_or;
use serde_json::{Value, json};
use std::cell::RefCell;

/// The key of an element reference in WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Finds visible elements by accessible name (label or text).
const NAMED: &str = "
    const [name, scope] = arguments;
    const root = scope ? document.querySelector(scope) : document;
    const own = (it) => it.getAttribute('aria-label')
        ?? (it.labels?.length ? it.labels[0].textContent : null) ?? it.textContent;
    const all = root ? root.querySelectorAll('button, a, input, select, textarea, summary') : [];
    return [...all].find((it) => own(it).trim() === name && it.checkVisibility()
        && it.getClientRects().length > 0) ?? null;";

impl Browser {
    /// Waits until a script returns a true value, and returns that.
    #[track_caller]
    pub fn wait(&self, what: &str, script: &str) -> Value {
        self.wait_with(what, script, &json!([]))
    }

    /// The same with arguments.
    #[track_caller]
    pub fn wait_with(&self, what: &str, script: &str, args: &Value) -> Value {
        let last = RefCell::new(Value::Null);
        eventually_or(
            || format!("{what}; it is {}\n{}", last.borrow(), self.shown()),
            || {
                let value = self.run_with(script, args);
                let is_true = !matches!(value, Value::Null | Value::Bool(false));
                last.replace(value.clone());
                is_true.then_some(value)
            },
        )
    }

    /// Waits until the first element of a selector contains a text.
    #[track_caller]
    pub fn wait_for_text(&self, selector: &str, text: &str) {
        let script = "const it = document.querySelector(arguments[0]);
            return it !== null && it.checkVisibility() && it.innerText.includes(arguments[1]);";
        let what = format!("{selector} reads {text:?}");
        self.wait_with(&what, script, &json!([selector, text]));
    }

    /// Waits until no element of a selector is visible.
    #[track_caller]
    pub fn wait_gone(&self, selector: &str) {
        let script = "return ![...document.querySelectorAll(arguments[0])]
            .some((it) => it.checkVisibility());";
        self.wait_with(&format!("no {selector} is seen"), script, &json!([selector]));
    }

    /// Returns the text of the first element of a selector.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null;";
        let text = self.run_with(script, &json!([selector]));
        text.as_str().unwrap_or_else(|| panic!("no {selector}\n{}", self.shown())).to_owned()
    }

    /// Waits for a clickable element with this name and clicks it.
    #[track_caller]
    pub fn click(&self, name: &str) {
        self.click_in("", name);
    }

    /// Clicks an element with this name inside of an element of a selector.
    #[track_caller]
    pub fn click_in(&self, scope: &str, name: &str) {
        let last = RefCell::new(String::from("there is none"));
        eventually_or(
            || format!("{name:?} can be clicked: {}\n{}", last.borrow(), self.shown()),
            || {
                let id = self.find(scope, name)?;
                let clicked = self.try_command(&format!("/element/{id}/click"), &json!({}));
                clicked.map_err(|error| last.replace(error)).ok()
            },
        );
    }

    /// Replaces the text of the field with this name.
    #[track_caller]
    pub fn fill(&self, name: &str, text: &str) {
        let id = eventually_or(
            || format!("there is a field {name:?}\n{}", self.shown()),
            || self.find("", name),
        );
        self.command(&format!("/element/{id}/clear"), &json!({}));
        self.command(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Selects an option of a list by its text.
    #[track_caller]
    pub fn choose(&self, name: &str, option: &str) {
        let script = "return [...document.querySelectorAll('select')]
            .find((it) => it.getAttribute('aria-label') === arguments[0])
            ?.querySelectorAll('option').values().find((it) => it.text === arguments[1]) ?? null";
        let found = self.wait_with("there is a choice", script, &json!([name, option]));
        let id = found[ELEMENT].as_str().expect("an element");
        self.command(&format!("/element/{id}/click"), &json!({}));
    }

    /// Presses keys, one after the other: characters, or key codes of WebDriver.
    pub fn press(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Returns the accessible name of the focused element.
    pub fn focused(&self) -> String {
        let script = "const it = document.activeElement;
            return (it?.getAttribute('aria-label') ?? it?.labels?.[0]?.textContent
                ?? it?.textContent ?? '').trim();";
        self.run(script).as_str().unwrap_or_default().to_owned()
    }

    /// Fails if the console has errors, apart from those about refused requests, which the
    /// browser logs by itself.
    #[track_caller]
    pub fn expect_quiet_console(&self) {
        let mut console = self.console();
        console.retain(|line| !line.contains("Failed to load resource"));
        assert!(console.is_empty(), "{console:#?}");
    }

    fn find(&self, scope: &str, name: &str) -> Option<String> {
        let found = self.run_with(NAMED, &json!([name, scope]));
        found[ELEMENT].as_str().map(str::to_owned)
    }

    /// Returns the text of the page, for a failed test.
    fn shown(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }
}

/// Key codes of WebDriver.
pub mod key {
    pub const TAB: &str = "\u{E004}";
    pub const ENTER: &str = "\u{E007}";
    pub const ESCAPE: &str = "\u{E00C}";
    pub const SPACE: &str = " ";
    pub const RIGHT: &str = "\u{E014}";
}
