//! Futures and closures as large as those that Tokio's own functions accept on the stack of a worker.

#![allow(clippy::large_stack_arrays)]

use super::multi_thread;
use std::process::{Command, Stdio};
use tokio::task::JoinSet;

/// Without optimisation, `tokio::spawn` takes futures of up to 1000 KiB on a stack of 2 MiB.
const SIZE: usize = 900 * 1024;

async fn large() -> u8 {
    let held = [1_u8; SIZE];
    tokio::task::yield_now().await;
    core::hint::black_box(&held)[SIZE - 1]
}

/// Spawns by the method named in the environment, on a worker. A stack that overflows ends the process.
#[test]
fn spawn_one() {
    let Ok(how) = std::env::var("LARGE_FUTURE") else {
        return;
    };
    let (runtime, _, spawner) = multi_thread(1);
    let sum = runtime.block_on(runtime.spawn(async move {
        match how.as_str() {
            "spawn" => spawn(&spawner).await.unwrap(),
            "spawn_in" => spawn_in(&spawner).join_next().await.unwrap().unwrap(),
            "spawn_blocking" => spawn_blocking(&spawner).await.unwrap(),
            "spawn here" => spawn_here().await.unwrap(),
            "join set here" => spawn_in_set().join_next().await.unwrap().unwrap(),
            _ => unreachable!("{how}"),
        }
    }));
    assert_eq!(sum.unwrap(), 1);
}

// Apart, so that no frame holds the futures of all.
#[inline(never)]
fn spawn(spawner: &metrics_std::tokio::Spawner) -> tokio::task::JoinHandle<u8> {
    spawner.spawn(large())
}

#[inline(never)]
fn spawn_in(spawner: &metrics_std::tokio::Spawner) -> JoinSet<u8> {
    let mut set = JoinSet::new();
    spawner.spawn_in(&mut set, large());
    set
}

#[inline(never)]
fn spawn_here() -> tokio::task::JoinHandle<u8> {
    metrics_std::tokio::spawn(large())
}

#[inline(never)]
fn spawn_in_set() -> metrics_std::tokio::JoinSet<u8> {
    let mut set = metrics_std::tokio::JoinSet::new();
    set.spawn(large());
    set
}

#[inline(never)]
fn spawn_blocking(spawner: &metrics_std::tokio::Spawner) -> tokio::task::JoinHandle<u8> {
    // Boxed once more than by `tokio::task::spawn_blocking`, which takes closures of up to 350 KiB there.
    const SIZE: usize = 400 * 1024;
    let held = [1_u8; SIZE];
    spawner.spawn_blocking(move || core::hint::black_box(&held)[SIZE - 1])
}

#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "under an emulator a program can't start itself"
)]
fn large_futures_and_closures_fit_the_stack_of_a_worker() {
    for how in [
        "spawn",
        "spawn_in",
        "spawn_blocking",
        "spawn here",
        "join set here",
    ] {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "large_futures::spawn_one"])
            .env("LARGE_FUTURE", how)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{how}: {status}");
    }
}
