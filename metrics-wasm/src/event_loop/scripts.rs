//! The scripts that held the thread, which the browser's long animation frames name.

use super::bindings::ScriptTiming;
use super::stall::{Script, Span, Stall};
use crate::clock;
use core::time::Duration;

/// Returns what the watch keeps of a script's timing.
fn script(timing: &ScriptTiming) -> Script {
    Script {
        source: last_chars(path(&timing.source_url().unwrap_or_default())),
        function: last_chars(&timing.source_function_name().unwrap_or_default()),
        // The browser reports -1 for a position that it does not know.
        position: timing
            .source_char_position()
            .and_then(|position| u32::try_from(position).ok()),
        invoker: invoker(&timing.invoker().unwrap_or_default()),
        duration: Duration::from_nanos(clock::nanos(timing.duration())),
    }
}

/// The number of characters of a name that are kept.
const LONGEST: usize = 100;

fn last_chars(text: &str) -> String {
    let start = text.char_indices().rev().nth(LONGEST - 1);
    let kept = start.and_then(|(start, _)| text.get(start..));
    kept.unwrap_or(text).to_owned()
}

/// Returns the path of a URL. Its origin, query and fragment may contain what must not leave the page. Of a URL without a path, such as
/// `data:`, returns the scheme.
fn path(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once(':') {
        Some((scheme, rest)) => match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
            None => scheme,
        },
        None => url,
    }
}

/// Returns an invoker without origins and queries: it is the URL of a script that was loaded, or may contain that of an element.
fn invoker(text: &str) -> String {
    match text.split_once("[src=") {
        Some((element, rest)) => {
            let event = rest.rsplit_once(']').map_or("", |(_, event)| event);
            last_chars(&format!("{element}{event}"))
        }
        None if text.contains("://") || text.starts_with("data:") => last_chars(path(text)),
        None => last_chars(text),
    }
}

/// The number of timers of the watch for which a stall waits for its frame. The first may have been overdue when the stall ended.
const TIMERS: u8 = 2;

/// Stalls whose frames the browser has not reported yet.
#[derive(Debug, Default)]
pub(super) struct Unnamed(Vec<(Stall, u8)>);

impl Unnamed {
    pub(super) fn add(&mut self, stall: Stall) {
        self.0.push((stall, 0));
    }

    /// Returns the stalls in a frame that the browser reports. Each has the longest of the frame's scripts that overlaps with it.
    pub(super) fn named(
        &mut self,
        frame: Span,
        scripts: &[ScriptTiming],
        span: impl Fn(&ScriptTiming) -> Span,
    ) -> Vec<Stall> {
        let in_frame = |(stall, _): &mut (Stall, u8)| Span::of(stall).overlaps(frame);
        let found = self.0.extract_if(.., in_frame);
        found
            .map(|(stall, _)| {
                let during = scripts
                    .iter()
                    .filter(|&script| span(script).overlaps(Span::of(&stall)));
                let longest = during.max_by_key(|&script| span(script).nanos());
                Stall {
                    script: longest.map(script),
                    ..stall
                }
            })
            .collect()
    }

    /// Returns all stalls that wait.
    pub(super) fn take(&mut self) -> Vec<Stall> {
        self.0.drain(..).map(|(stall, _)| stall).collect()
    }

    /// Notes that the timer fired. Returns the stalls that have waited long enough.
    pub(super) fn timer_fired(&mut self) -> Vec<Stall> {
        for (_, timers) in &mut self.0 {
            *timers += 1;
        }
        let overdue = self.0.extract_if(.., |(_, timers)| *timers >= TIMERS);
        overdue.map(|(stall, _)| stall).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_name_has_no_origin_and_no_query() {
        for (url, expected) in [
            (
                "https://shop.example:8080/js/app.js?token=secret#part",
                "/js/app.js",
            ),
            ("https://shop.example?token=secret", "/"),
            ("blob:https://shop.example/0f4e", "blob"),
            ("data:text/javascript,secret()", "data"),
            ("chrome-extension://abc/content.js", "/content.js"),
            ("", ""),
        ] {
            assert_eq!(path(url), expected, "{url}");
        }
        for (text, expected) in [
            ("TimerHandler:setTimeout", "TimerHandler:setTimeout"),
            ("BUTTON#buy.onclick", "BUTTON#buy.onclick"),
            (
                "IMG[src=https://shop.example/a.png?token=secret].onload",
                "IMG.onload",
            ),
            ("https://shop.example/js/app.js?token=secret", "/js/app.js"),
        ] {
            assert_eq!(invoker(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let long = format!("/{}/äpp.js", "x".repeat(500));
        let kept = last_chars(&long);
        assert_eq!(kept.chars().count(), LONGEST);
        assert!(kept.ends_with("x/äpp.js"));
        assert_eq!(last_chars("short"), "short");
    }
}
