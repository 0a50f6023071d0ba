//! Shows the metrics of a running service in a terminal, from the snapshots that it serves over HTTP.

use core::error::Error;
use core::fmt::Display;
use core::time::Duration;
use metrics_std::Snapshot;
use metrics_std::metrics_core::BlameReport;
use metrics_std::top::{Action, Sampler, Screen, View};
use serde::Deserialize;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;
use ureq::Agent;

const USAGE: &str = "usage: metrics-top URL\n\n\
    URL is that of a service that serves `/snapshot`, such as http://127.0.0.1:9000. Without a terminal, prints a line per second.";

/// The time between two snapshots.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a request may take. Keys are not read meanwhile.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The largest accepted snapshot in bytes.
const LIMIT: u64 = 64 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("-h" | "--help"), None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        (Some(url), None) if !url.starts_with('-') => match run(&Source::new(url)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {}", printable(&error.to_string()));
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Replaces control characters, which a terminal would execute: names and errors contain text of the service.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// The field that the service adds to a snapshot.
#[derive(Deserialize)]
struct Extra {
    blame: Option<BlameReport>,
}

/// A service that serves its snapshots.
struct Source {
    agent: Agent,
    url: String,
}

impl Source {
    fn new(url: &str) -> Self {
        let url = url.trim_end_matches('/');
        let scheme = if url.contains("://") { "" } else { "http://" };
        let path = if url.ends_with("/snapshot") {
            ""
        } else {
            "/snapshot"
        };
        // Without redirects, the service can't direct the requests to another host.
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .build();
        Self {
            agent: agent.into(),
            url: format!("{scheme}{url}{path}"),
        }
    }

    /// Returns the snapshot, and the blame if the service has a flight recorder.
    fn snapshot(&self) -> Result<(Snapshot, Option<BlameReport>), Box<dyn Error>> {
        let text = |error: &dyn Display| format!("can't get {}: {error}", self.url);
        let mut response = self.agent.get(&self.url).call().map_err(|error| text(&error))?;
        if response.status().is_redirection() {
            return Err(text(&"the service redirects, which is not followed").into());
        }
        let body = response.body_mut().with_config().limit(LIMIT);
        let body = body.read_to_vec().map_err(|error| text(&error))?;
        let wrong = |error| format!("{} is not a snapshot: {error}", self.url);
        let snapshot = serde_json::from_slice(&body).map_err(wrong)?;
        // Services of earlier versions send none.
        let Extra { blame } = serde_json::from_slice(&body).map_err(wrong)?;
        Ok((snapshot, blame))
    }
}

fn run(source: &Source) -> Result<(), Box<dyn Error>> {
    // Errors that the user can correct come before the first drawing.
    let (first, _) = source.snapshot()?;
    if first.uptime().is_none() {
        return Err("the runtime has no clock, so there are no rates to show".into());
    }
    let mut sampler = Sampler::new(first);
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return lines(source, &mut sampler);
    }
    let mut screen = Screen::open(&source.url)?;
    let mut last: Option<View> = None;
    while screen.run_until(Instant::now() + PERIOD)? == Action::Continue {
        match source.snapshot() {
            Ok((snapshot, blame)) => {
                let name = snapshot.name().to_owned();
                let Some(view) = sampler.sample(snapshot) else {
                    continue;
                };
                let view = view
                    .with_title(vec![source.url.clone(), name])
                    .with_blame(&blame.unwrap_or_default());
                screen.draw(view.clone())?;
                last = Some(view);
            }
            // The service may be restarting: the last values stay, and the title says why.
            Err(error) => {
                if let Some(view) = last.clone() {
                    screen.draw(view.with_title(vec![error.to_string()]))?;
                }
            }
        }
    }
    Ok(())
}

/// Prints a line per second until the service or the reader of the lines is gone.
fn lines(source: &Source, sampler: &mut Sampler) -> Result<(), Box<dyn Error>> {
    loop {
        std::thread::sleep(PERIOD);
        let (snapshot, _) = source.snapshot()?;
        if let Some(view) = sampler.sample(snapshot) {
            writeln!(io::stdout(), "{}", printable(&view.line()))?;
        }
    }
}
