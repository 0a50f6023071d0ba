//! The throttling of a process under a real CPU quota, against the numbers of the kernel.
#![allow(missing_docs)]
#![cfg(all(feature = "record", feature = "tokio", target_os = "linux"))]

use core::time::Duration;
use metrics_std::tokio::TokioAdapter;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Instant;
use std::{env, fs};

const NAME: &str = "throttling_is_what_the_kernel_counts";
/// The directory of the cgroup that the child process joins.
const CGROUP: &str = "METRICS_STD_TEST_CGROUP";
const QUOTA_MICROS: u32 = 1_000;
const PERIOD_MICROS: u32 = 10_000;
/// The processor time that the child process uses: that of 20 periods.
const LENGTH: Duration = Duration::from_millis(20);

#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "under an emulator a program can't start itself"
)]
fn throttling_is_what_the_kernel_counts() {
    if let Some(cgroup) = env::var_os(CGROUP) {
        return compute_in(Path::new(&cgroup));
    }
    let Some(cgroup) = Cgroup::create() else {
        println!("skipped: this process can't make a cgroup with a CPU quota");
        return;
    };
    let test = env::current_exe().expect("this test has a path");
    let run = Command::new(test)
        .args(["--exact", NAME])
        .env(CGROUP, &cgroup.0)
        .output()
        .expect("the test starts itself");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}

/// A cgroup with the quota, below that of this process. It is removed when it is dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn create() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = |controller: &str| {
            let groups = groups
                .lines()
                .filter_map(|line| line.split_once(':')?.1.split_once(':'));
            let mut of =
                groups.filter(|(controllers, _)| controllers.split(',').any(|name| name == controller));
            Some(of.next()?.1.trim_start_matches('/').to_owned())
        };
        let mount = Path::new("/sys/fs/cgroup");
        let v1 = ["cpu,cpuacct", "cpu"].map(|mount_of| Some(mount.join(mount_of).join(path("cpu")?)));
        let v2 = path("").map(|group| mount.join(group));
        let parents = v1.into_iter().chain([v2]).flatten();
        parents.filter(|parent| parent.is_dir()).find_map(|parent| {
            let directory = parent.join(format!("metrics-std-test-{}", process::id()));
            fs::create_dir(&directory).ok()?;
            let cgroup = Self(directory);
            cgroup.limit().then_some(cgroup)
        })
    }

    /// Sets the quota, in the form of either version. Returns `false` if the directory is not one of a cgroup.
    fn limit(&self) -> bool {
        if !self.0.join("cgroup.procs").is_file() {
            return false;
        }
        let write = |file: &str, text: String| fs::write(self.0.join(file), text).is_ok();
        let v1 = || {
            write("cpu.cfs_period_us", PERIOD_MICROS.to_string())
                && write("cpu.cfs_quota_us", QUOTA_MICROS.to_string())
        };
        write("cpu.max", format!("{QUOTA_MICROS} {PERIOD_MICROS}")) || v1()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A directory that can't be removed stays empty.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Joins the cgroup, computes for a known processor time, and compares the metrics with the kernel's numbers.
fn compute_in(cgroup: &Path) {
    fs::write(cgroup.join("cgroup.procs"), process::id().to_string()).expect("the parent made the cgroup");
    let began = Instant::now();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let measured = TokioAdapter::builder()
        .build(&mut builder)
        .expect("the defaults work");
    let start = on_cpu();
    measured
        .runtime
        .block_on(
            measured
                .spawner
                .spawn(async move { while on_cpu() < start + LENGTH {} }),
        )
        .expect("the task does not panic");
    let before = kernel(cgroup);
    let snapshot = measured.metrics.snapshot();
    let after = kernel(cgroup);
    let periods = snapshot
        .cpu_throttled_count()
        .expect("the cgroup has a CPU controller");
    let throttled = snapshot.cpu_throttled_duration_total().expect("as above");
    assert!(
        before.0 > 0 && !before.1.is_zero(),
        "the quota is a tenth: {before:?}"
    );
    assert!(
        (before.0..=after.0).contains(&periods),
        "{before:?}, {periods}, {after:?}"
    );
    assert!(
        (before.1..=after.1).contains(&throttled),
        "{before:?}, {throttled:?}, {after:?}"
    );
    println!(
        "throttled for {throttled:?} in {periods} periods of {:?}",
        began.elapsed()
    );
}

/// Returns the processor time of the calling thread.
fn on_cpu() -> Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel keeps it");
    let nanos = times.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// Returns the throttled periods and the throttled time as the kernel counts them.
fn kernel(cgroup: &Path) -> (u64, Duration) {
    let text = fs::read_to_string(cgroup.join("cpu.stat")).expect("each cgroup has the file");
    let value = |name: &str| -> Option<u64> {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(field, _)| *field == name)?.1.parse().ok()
    };
    let time = value("throttled_time").map(Duration::from_nanos);
    let time = time.or_else(|| value("throttled_usec").map(Duration::from_micros));
    (value("nr_throttled").expect("a count"), time.expect("a time"))
}
