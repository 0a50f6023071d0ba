//! Reads what the operating system reports about a thread and about the process's control group (cgroup). Only Linux reports it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Reads the files of the operating system below a root directory, which is `/` by default.
pub(crate) struct Os {
    root: PathBuf,
    /// The file of the process's cgroup, found once: a counter continues only in the same file.
    cpu_stat: OnceLock<Option<PathBuf>>,
}

/// The times of one thread since it started, in nanoseconds.
///
/// For a thread that is running, the kernel advances them at its timer interrupts: every 4 ms if it has 250 of them per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadTimes {
    pub(crate) on_cpu: u64,
    /// Ready to run, and waiting for a processor.
    pub(crate) runnable_wait: u64,
}

/// How long, and in how many periods, a cgroup was throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttling {
    pub(crate) nanos: u64,
    pub(crate) periods: u64,
}

/// Returns the operating system's ID of the calling thread.
pub(crate) fn thread_id() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let thread = fs::read_link("/proc/thread-self").ok()?;
    thread.file_name()?.to_str()?.parse().ok()
}

/// Returns the ID of this process. WebAssembly has no processes, and `std::process::id` panics there.
pub(crate) fn process_id() -> u32 {
    if cfg!(target_family = "wasm") {
        0
    } else {
        std::process::id()
    }
}

impl Os {
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            cpu_stat: OnceLock::new(),
        }
    }

    /// Returns the times of a thread of this process, or `None` if it has ended or the kernel does not keep them.
    pub(crate) fn thread_times(&self, thread: u64) -> Option<ThreadTimes> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        // Documentation/scheduler/sched-stats.rst of Linux.
        let text = fs::read_to_string(self.root.join(format!("proc/self/task/{thread}/schedstat"))).ok()?;
        let mut fields = text.split_ascii_whitespace().map(str::parse);
        let (on_cpu, runnable_wait) = (fields.next()?.ok()?, fields.next()?.ok()?);
        let times_run: u64 = fields.next()?.ok()?;
        // A kernel without these statistics writes zeros, and a thread has run at least once when it gets a number.
        (times_run != 0).then_some(ThreadTimes {
            on_cpu,
            runnable_wait,
        })
    }

    /// Returns the throttling of the process's cgroup, or `None` if the cgroup has no CPU controller. A quota of a parent cgroup is not
    /// part of it.
    pub(crate) fn throttling(&self) -> Option<Throttling> {
        let file = self.cpu_stat.get_or_init(|| self.find_cpu_stat());
        parse_cpu_stat(&fs::read_to_string(file.as_ref()?).ok()?)
    }

    fn find_cpu_stat(&self) -> Option<PathBuf> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let groups = fs::read_to_string(self.root.join("proc/self/cgroup")).ok()?;
        let (mounts, group): (&[&str], &str) = match cpu_group(&groups)? {
            Group::V1(group) => (&["cpu,cpuacct", "cpu"], group),
            Group::V2(group) => (&[""], group),
        };
        if group.split('/').any(|part| part == "..") {
            // Outside this process's cgroup namespace, so not mounted here.
            return None;
        }
        let mounts = mounts
            .iter()
            .map(|mount| self.root.join("sys/fs/cgroup").join(mount));
        // In a container, the cgroup itself may be mounted, and its path be that of the host.
        mounts
            .flat_map(|mount| [mount.join(group.trim_start_matches('/')), mount])
            .map(|directory| directory.join("cpu.stat"))
            .find(|file| file.is_file())
    }
}

/// The path of a process's cgroup below the mount of its hierarchy.
enum Group<'a> {
    V1(&'a str),
    V2(&'a str),
}

/// Returns the cgroup that limits the CPU. The lines are `hierarchy:controllers:path`, and version 2 is hierarchy 0 without controllers.
fn cpu_group(groups: &str) -> Option<Group<'_>> {
    let lines = || {
        groups.lines().filter_map(|line| {
            let (_, line) = line.split_once(':')?;
            line.split_once(':')
        })
    };
    // With both versions mounted, a controller belongs to one of them.
    let v1 = lines().find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"));
    let v2 = || lines().find(|(controllers, _)| controllers.is_empty());
    match v1 {
        Some((_, path)) => Some(Group::V1(path)),
        None => v2().map(|(_, path)| Group::V2(path)),
    }
}

/// Parses a `cpu.stat` of either version: version 1 has `throttled_time` in nanoseconds, version 2 `throttled_usec`.
fn parse_cpu_stat(text: &str) -> Option<Throttling> {
    let value = |name: &str| -> Option<u64> {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(field, _)| *field == name)?.1.trim().parse().ok()
    };
    let nanos = value("throttled_time").or_else(|| value("throttled_usec")?.checked_mul(1_000))?;
    Some(Throttling {
        nanos,
        periods: value("nr_throttled")?,
    })
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A root directory with these files.
    fn root(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn throttling(files: &[(&str, &str)]) -> Option<(u64, u64)> {
        let throttling = Os::at(root(files).path()).throttling()?;
        Some((throttling.nanos, throttling.periods))
    }

    #[test]
    fn a_threads_times_are_those_of_its_schedstat() {
        let root = root(&[
            ("proc/self/task/7/schedstat", "168412643 335164566 65\n"),
            ("proc/self/task/8/schedstat", "0 0 0\n"),
            ("proc/self/task/9/schedstat", "12\n"),
        ]);
        let os = Os::at(root.path());
        let times = os.thread_times(7).unwrap();
        assert_eq!((times.on_cpu, times.runnable_wait), (168_412_643, 335_164_566));
        assert_eq!(os.thread_times(8), None, "the kernel keeps no statistics");
        assert_eq!(os.thread_times(9), None, "not the known format");
        assert_eq!(os.thread_times(10), None, "no such thread");
    }

    const V1: &str = "nr_periods 10\nnr_throttled 3\nthrottled_time 4500000\n";
    const V2: &str =
        "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 10\nnr_throttled 3\nthrottled_usec 4500\n";

    #[test]
    fn both_versions_of_cgroups_report_nanoseconds() {
        let v1 = (
            "proc/self/cgroup",
            "5:memory:/app\n4:cpu,cpuacct:/app\n0::/other\n",
        );
        assert_eq!(
            throttling(&[v1, ("sys/fs/cgroup/cpu,cpuacct/app/cpu.stat", V1)]),
            Some((4_500_000, 3))
        );
        let alone = ("proc/self/cgroup", "2:cpuacct:/\n1:cpu:/app\n");
        assert_eq!(
            throttling(&[alone, ("sys/fs/cgroup/cpu/app/cpu.stat", V1)]),
            Some((4_500_000, 3))
        );
        let v2 = ("proc/self/cgroup", "0::/system.slice/app.service\n");
        assert_eq!(
            throttling(&[v2, ("sys/fs/cgroup/system.slice/app.service/cpu.stat", V2)]),
            Some((4_500_000, 3))
        );
    }

    #[test]
    fn a_container_that_mounts_only_its_own_cgroup_reads_it() {
        let own = ("sys/fs/cgroup/cpu.stat", V2);
        assert_eq!(
            throttling(&[("proc/self/cgroup", "0::/docker/0123\n"), own]),
            Some((4_500_000, 3))
        );
        assert_eq!(
            throttling(&[("proc/self/cgroup", "0::/../sibling\n"), own]),
            None,
            "the process is outside the namespace"
        );
    }

    #[test]
    fn a_cgroup_without_a_cpu_controller_has_no_throttling() {
        let group = ("proc/self/cgroup", "0::/\n");
        assert_eq!(throttling(&[]), None);
        assert_eq!(throttling(&[group]), None);
        let usage_alone = (
            "sys/fs/cgroup/cpu.stat",
            "usage_usec 9\nuser_usec 5\nsystem_usec 4\n",
        );
        assert_eq!(throttling(&[group, usage_alone]), None);
    }

    #[test]
    fn a_thread_knows_its_id() {
        let own = thread_id().unwrap();
        let other = std::thread::spawn(thread_id).join().unwrap();
        assert_ne!(Some(own), other);
    }
}
