//! Flags, shutdown and the terminal.

use crate::child::{Demo, alone, demo, workspace};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Returns the line that describes the error, after the output of cargo.
#[track_caller]
fn complaint(output: &Output) -> String {
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert_eq!(stderr.lines().last(), Some(errors[0]), "{stderr}");
    errors[0].to_owned()
}

#[test]
fn a_wrong_flag_is_one_line() {
    let cases: [(&[&str], &str); 4] = [
        (
            &["--frob"],
            "error: unexpected argument '--frob' found (see --help)",
        ),
        (
            &["--seconds", "0"],
            "error: invalid value '0' for '--seconds <N>': 0 is not in 1..=86400 (see --help)",
        ),
        (
            &["--port", "70000"],
            "error: invalid value '70000' for '--port <P>': 70000 is not in 0..=65535 (see --help)",
        ),
        (&["10"], "error: unexpected argument '10' found (see --help)"),
    ];
    for (arguments, expected) in cases {
        let output = demo(arguments).output().expect("cargo does not start");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(complaint(&output), expected);
    }
}

#[test]
fn a_port_in_use_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("no free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let output = demo(&["--port", &port, "--json"])
        .output()
        .expect("cargo does not start");
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(
        said.starts_with(&format!(
            "error: can't listen on 127.0.0.1:{port}: Address already in use"
        )),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_a_summary() {
    let _alone = alone();
    let mut demo = Demo::start();
    let second = demo.lines.next().expect("it goes on").expect("not text");
    assert!(
        second.contains("  1 s  ") && second.contains("poll time p50 "),
        "{second}"
    );
    interrupt(&demo);
    let rest: Vec<String> = demo.lines.map(|line| line.expect("not text")).collect();
    let summary = rest
        .iter()
        .map(|line| line.split("  ").next().unwrap_or_default());
    let summary: Vec<&str> = summary.filter(|word| !word.is_empty()).collect();
    assert_eq!(summary, ["requests", "polls", "poll time", "tasks", "stalls"]);
    assert_eq!(demo.child.0.wait().expect("it ends").code(), Some(0));
}

#[cfg(unix)]
fn interrupt(demo: &Demo) {
    // Uses the shell's own `kill`: not every system has a program of that name.
    let status = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", demo.child.0.id())])
        .status();
    assert!(status.expect("there is a shell").success());
}

/// A scraper keeps its connection open between two scrapes.
#[cfg(unix)]
#[test]
fn a_connection_that_is_kept_open_does_not_delay_the_end() {
    let _alone = alone();
    let mut demo = Demo::start();
    let mut scraper = TcpStream::connect(&demo.address).expect("the demo serves");
    scraper
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: demo\r\n\r\n")
        .expect("it reads");
    let mut status = [0; 15];
    scraper.read_exact(&mut status).expect("it answers");
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    let asked = Instant::now();
    interrupt(&demo);
    demo.lines.by_ref().for_each(drop);
    assert_eq!(demo.child.0.wait().expect("it ends").code(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(4), "it ended after {took:?}");
}

/// The first build takes a minute, so cargo has to show its progress.
#[test]
fn the_build_shows_its_progress() {
    let config = std::fs::read_to_string(workspace().join(".cargo/config.toml")).expect("there is an alias");
    assert!(config.contains("xtask") && !config.contains("quiet"), "{config}");
}

/// With util-linux's `script`, which gives its child a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_given_back() {
    let Some(script) = outside::program("script") else {
        return;
    };
    let _alone = alone();
    let demo = demo(&["--port", "0", "--seconds", "2"]);
    let words = [demo.get_program()].into_iter().chain(demo.get_args());
    let line: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let output = Command::new(script)
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &format!("stty cols 100 rows 30; {}", line.join(" ")),
        ])
        .arg("/dev/null")
        .current_dir(demo.get_current_dir().expect("it was set"))
        .output()
        .expect("script does not start");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}");
    // Into the alternate screen, what is drawn there (spaces between words are skipped), and out of it; then the summary.
    let parts = [
        "\x1b[?1049h",
        "ends",
        "worker   busy",
        "schedule",
        "\x1b[?1049l",
        "counted by the metrics",
    ];
    let mut rest = &*screen;
    for part in parts {
        rest = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("no {part:?} in its place in {screen:?}"))
            .1;
    }
}
