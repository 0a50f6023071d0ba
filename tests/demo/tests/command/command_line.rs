//! Flags, ends and the terminal.

use crate::child::{Demo, alone, demo};
use std::net::TcpListener;
use std::process::{Command, Output};

/// The one line that says what is wrong, after whatever cargo says of building.
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
        second.starts_with("   1 s  ") && second.contains("poll time p50 "),
        "{second}"
    );
    // The shell's own `kill`: not every system has a program of that name.
    let interrupt = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", demo.child.0.id())])
        .status();
    assert!(interrupt.expect("there is a shell").success());
    let rest: Vec<String> = demo.lines.map(|line| line.expect("not text")).collect();
    let summary = rest
        .iter()
        .map(|line| line.split("  ").next().unwrap_or_default());
    let summary: Vec<&str> = summary.filter(|word| !word.is_empty()).collect();
    assert_eq!(summary, ["requests", "polls", "poll time", "tasks", "stalls"]);
    assert_eq!(demo.child.0.wait().expect("it ends").code(), Some(0));
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
        "q ends",
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
