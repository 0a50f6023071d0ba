//! Executors that preempt one another, and cores that do not.

use core::time::Duration;
use metrics_core::StaticRegistryConfig;
use metrics_core::embassy::{
    EmbassyConfig, ExecutorState, FixedTrace, InterruptHandler, TaskRow, TraceSnapshot,
};
use std::sync::{Arc, Mutex};

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::replay::{BUCKETS, Hook::*, MEGAHERTZ, Player, config, us};

const THREAD: u32 = 0x2000_0100;
const MIDDLE: u32 = 0x2000_0200;
const URGENT: u32 = 0x2000_0300;
const SLOW: u32 = 0x2000_1000;
const QUICK: u32 = 0x2000_2000;
const QUICKEST: u32 = 0x2000_3000;

fn spawned<const E: usize>() -> Player<E, 8> {
    let player = Player::new();
    player.play(&[
        (0, New(THREAD, SLOW)),
        (0, Ready(THREAD, SLOW)),
        (0, New(MIDDLE, QUICK)),
        (0, New(URGENT, QUICKEST)),
    ]);
    player
}

#[test]
fn a_poll_excludes_preemption() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (10, Begin(THREAD, SLOW)),
        (40, Ready(MIDDLE, QUICK)),
        (41, PollStart(MIDDLE)),
        (42, Begin(MIDDLE, QUICK)),
        (62, End(MIDDLE, QUICK)),
        (63, Idle(MIDDLE)),
        (110, End(THREAD, SLOW)),
        (112, Idle(THREAD)),
    ]);
    let (thread, middle) = (player.executor(0), player.executor(1));
    assert_eq!(thread.polling, us(100 - 22));
    assert_eq!(thread.preempted, us(22));
    assert_eq!(thread.scheduling, us(12));
    assert_eq!(thread.total(), us(112));
    assert_eq!(player.task(0, SLOW).active, us(78));
    assert_eq!(player.task(0, SLOW).longest, us(78));
    assert_eq!(
        (middle.polling, middle.scheduling, middle.preempted),
        (us(20), us(2), 0)
    );

    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.poll_time().expect("a poll time").histogram().sum(), us(78));
    assert_eq!(
        worker.busy_duration_total(),
        Some(Duration::from_micros(112 - 22))
    );
    let worker = snapshot.worker(1).expect("a worker");
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_micros(22)));
}

#[test]
fn an_executor_that_goes_idle_gives_the_core_back_to_the_one_it_preempted() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
        (10, PollStart(MIDDLE)),
        (20, Idle(MIDDLE)),
    ]);
    player.at(50);
    assert_eq!(player.executor(0).state, ExecutorState::Polling);
    player.play(&[
        (60, PollStart(URGENT)),
        (65, Idle(URGENT)),
        (100, End(THREAD, SLOW)),
        (100, Idle(THREAD)),
    ]);
    assert_eq!(player.executor(0).polling, us(100 - 10 - 5));
    assert_eq!(player.executor(0).preempted, us(15));
}

#[test]
fn three_deep_each_is_charged_once() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
        (100, PollStart(MIDDLE)),
        (100, Begin(MIDDLE, QUICK)),
        (150, PollStart(URGENT)),
        (150, Begin(URGENT, QUICKEST)),
        (170, End(URGENT, QUICKEST)),
        (170, Idle(URGENT)),
        (200, End(MIDDLE, QUICK)),
        (200, Idle(MIDDLE)),
        (300, End(THREAD, SLOW)),
        (300, Idle(THREAD)),
    ]);
    assert_eq!(
        (player.executor(0).polling, player.executor(0).preempted),
        (us(200), us(100))
    );
    assert_eq!(
        (player.executor(1).polling, player.executor(1).preempted),
        (us(80), us(20))
    );
    assert_eq!(
        (player.executor(2).polling, player.executor(2).preempted),
        (us(20), 0)
    );
}

#[test]
fn an_idle_executor_is_not_preempted() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (10, Idle(THREAD)),
        (20, PollStart(MIDDLE)),
        (50, Idle(MIDDLE)),
        (100, PollStart(THREAD)),
        (110, Begin(THREAD, SLOW)),
        (120, End(THREAD, SLOW)),
        (120, Idle(THREAD)),
    ]);
    let thread = player.executor(0);
    assert_eq!((thread.idle, thread.preempted), (us(90), 0));
    assert_eq!((thread.polling, thread.scheduling), (us(10), us(20)));
    assert_eq!(player.executor(1).scheduling, us(30));
}

#[test]
fn preemption_between_two_polls_is_in_neither() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (10, Begin(THREAD, SLOW)),
        (20, End(THREAD, SLOW)),
        (25, PollStart(MIDDLE)),
        (75, Idle(MIDDLE)),
        (80, Ready(THREAD, SLOW)),
        (80, Begin(THREAD, SLOW)),
        (90, End(THREAD, SLOW)),
        (95, Idle(THREAD)),
    ]);
    let thread = player.executor(0);
    assert_eq!(
        (thread.polling, thread.scheduling, thread.preempted),
        (us(20), us(10 + 10 + 5), us(50))
    );
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(worker.poll_time().expect("a poll time").histogram().count(), 2);
    assert_eq!(worker.busy_duration_total(), Some(Duration::from_micros(45)));
}

/// The executor never goes idle, so its busy time is updated at the end of a poll.
#[test]
fn the_busy_time_of_a_long_run_excludes_preemption() {
    let player = spawned::<3>();
    let second = 1_000_000;
    player.play(&[
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
        (10, PollStart(MIDDLE)),
        (10 + second, Idle(MIDDLE)),
        (20 + second, End(THREAD, SLOW)),
    ]);
    player.at(25 + second);
    let snapshot = player.snapshot();
    let worker = snapshot.worker(0).expect("a worker");
    assert_eq!(
        worker.busy_duration_total(),
        Some(Duration::from_micros(10 + 10 + 5))
    );
    let executor = player.executor(0);
    assert_eq!((executor.polling, executor.scheduling), (us(20), us(5)));
    assert_eq!(executor.preempted, us(second));
}

#[test]
fn a_wait_in_the_queue_includes_preemption() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (1, PollStart(MIDDLE)),
        (51, Idle(MIDDLE)),
        (60, Begin(THREAD, SLOW)),
        (61, End(THREAD, SLOW)),
        (61, Idle(THREAD)),
    ]);
    assert_eq!(
        player.task(0, SLOW).waiting,
        us(60),
        "the task did wait that long"
    );
}

#[test]
fn a_wake_from_an_interrupt_within_the_poll_of_another_executor() {
    let player = spawned::<3>();
    player.play(&[
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
        (5, Ready(MIDDLE, QUICK)),
        (6, PollStart(MIDDLE)),
        (6, Begin(MIDDLE, QUICK)),
        (7, Ready(THREAD, SLOW)),
        (9, End(MIDDLE, QUICK)),
        (9, Idle(MIDDLE)),
        (20, End(THREAD, SLOW)),
        (20, Idle(THREAD)),
        (21, PollStart(THREAD)),
        (22, Begin(THREAD, SLOW)),
        (23, End(THREAD, SLOW)),
        (23, Idle(THREAD)),
    ]);
    assert_eq!((player.task(0, SLOW).wakes, player.task(0, SLOW).polls), (2, 2));
    assert_eq!(player.task(0, SLOW).waiting, us(15));
    assert_eq!(player.task(1, QUICK).waiting, us(1));
}

#[test]
fn two_cores_run_at_once_without_preempting() {
    let player = spawned::<3>();
    player
        .at(0)
        .hook_on(0, PollStart(THREAD))
        .hook(Begin(THREAD, SLOW));
    player
        .at(10)
        .hook_on(1, PollStart(MIDDLE))
        .hook(Begin(MIDDLE, QUICK));
    player.at(20).hook_on(1, PollStart(URGENT));
    player.at(30).hook_on(1, Idle(URGENT));
    player.at(50).hook(End(THREAD, SLOW)).hook(Idle(THREAD));
    player.at(60).hook(End(MIDDLE, QUICK)).hook(Idle(MIDDLE));
    assert_eq!(
        (player.executor(0).polling, player.executor(0).preempted),
        (us(50), 0)
    );
    assert_eq!(
        (player.executor(1).polling, player.executor(1).preempted),
        (us(40), us(10))
    );
}

#[test]
fn one_executor_alone_is_never_preempted() {
    let player = spawned::<1>();
    player.play(&[
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
        (9, End(THREAD, SLOW)),
        (9, Idle(THREAD)),
    ]);
    assert_eq!(
        (player.executor(0).polling, player.executor(0).preempted),
        (us(9), 0)
    );
}

/// An interrupt executor may run inside a hook, wherever the hook reads the clock. All the ticks that it takes from
/// the executor beneath are taken once, whichever read it interrupts.
#[test]
fn an_interrupt_inside_any_hook_is_charged_once() {
    let mut interrupted = 0;
    for reading in 0..64 {
        let player = spawned::<3>();
        player.interrupt_at(reading, move |player| {
            let now = player.now();
            player.play(&[
                (now, PollStart(URGENT)),
                (now, Begin(URGENT, QUICKEST)),
                (now + 1_000, End(URGENT, QUICKEST)),
                (now + 1_000, Idle(URGENT)),
            ]);
        });
        // Every hook comes 10 microseconds after the last one, however long that one took.
        for hook in [
            PollStart(THREAD),
            Begin(THREAD, SLOW),
            PollStart(MIDDLE),
            Begin(MIDDLE, QUICK),
            End(MIDDLE, QUICK),
            Idle(MIDDLE),
            End(THREAD, SLOW),
            Idle(THREAD),
        ] {
            player.at(player.now() + 10).hook(hook);
        }
        let (thread, middle, urgent) = (player.executor(0), player.executor(1), player.executor(2));
        assert_eq!(thread.polling + thread.scheduling, us(10 + 20 + 10), "{reading}");
        assert_eq!(middle.polling + middle.scheduling, us(10 + 10 + 10), "{reading}");
        if urgent.polls == 0 {
            continue;
        }
        interrupted += 1;
        assert_eq!((urgent.polling, urgent.preempted), (us(1_000), 0), "{reading}");
        let busy = [thread, middle].map(|row| row.preempted);
        assert!(
            busy == [us(30), 0] || busy == [us(1_030), 0] || busy == [us(1_030), us(1_000)],
            "{reading}: {busy:?}"
        );
    }
    assert!(
        interrupted > 8,
        "every hook reads the clock, so {interrupted} are too few"
    );
}

/// A task that never returns, half of whose time an interrupt executor takes.
#[test]
fn a_poll_in_progress_settles_as_it_goes() {
    let player = spawned::<3>();
    player.play(&[(0, PollStart(THREAD)), (0, Begin(THREAD, SLOW))]);
    let mut before = player.trace();
    for start in (0..1_000).step_by(100) {
        player.play(&[
            (start + 30, PollStart(MIDDLE)),
            (start + 30, Begin(MIDDLE, QUICK)),
            (start + 80, End(MIDDLE, QUICK)),
            (start + 80, Idle(MIDDLE)),
        ]);
        player.at(start + 100);
        let now = player.trace();
        let interval = now.since(&before);
        let (thread, task) = (interval.executors[0], interval.task(0, SLOW).expect("a row"));
        assert_eq!((thread.polling, thread.preempted), (us(50), us(50)));
        assert_eq!(thread.total(), us(100));
        assert_eq!(
            (task.active, task.polls),
            (us(50), 0),
            "the task is stuck in its poll"
        );
        before = now;
    }
    let task = player.task(0, SLOW);
    assert!(task.polling);
    assert_eq!((task.active, task.longest), (us(500), us(500)));
}

/// A reader that interrupts any hook of any executor, and one that is itself preempted.
#[test]
fn the_time_spent_polling_never_goes_back() {
    for reading in 0..64 {
        let player = spawned::<3>();
        let seen = Arc::new(Mutex::new(TraceSnapshot::<FixedTrace<3, 8>>::default()));
        let in_interrupt = seen.clone();
        player.interrupt_at(reading, move |player| {
            let now = player.now();
            player.play(&[(now + 5, PollStart(URGENT)), (now + 5, Begin(URGENT, QUICKEST))]);
            player.at(now + 25);
            player
                .metrics
                .trace_into(&mut *in_interrupt.lock().expect("no reader panics"));
            player.play(&[(now + 30, End(URGENT, QUICKEST)), (now + 40, Idle(URGENT))]);
        });
        let mut spent = 0;
        let mut active = 0;
        for hook in [
            PollStart(THREAD),
            Begin(THREAD, SLOW),
            PollStart(MIDDLE),
            Begin(MIDDLE, QUICK),
            End(MIDDLE, QUICK),
            Idle(MIDDLE),
            End(THREAD, SLOW),
            Idle(THREAD),
        ] {
            player.at(player.now() + 10).hook(hook);
            let in_interrupt = seen.lock().expect("no reader panics").clone();
            for seen in [in_interrupt, player.trace()] {
                let Some(thread) = seen.executors.first() else {
                    continue;
                };
                assert!(
                    thread.stale || thread.spent(ExecutorState::Polling) >= spent,
                    "{reading}, {hook:?}: {thread:?} after {spent}"
                );
                spent = spent.max(thread.spent(ExecutorState::Polling));
                if let Some(task) = seen.task(0, SLOW) {
                    assert!(
                        task.stale || task.active >= active,
                        "{reading}, {hook:?}: {task:?}"
                    );
                    active = active.max(task.active);
                }
            }
            *seen.lock().expect("no reader panics") = player.trace();
        }
    }
}

static INTERRUPTS: [InterruptHandler; 2] = [InterruptHandler::new("uart"), InterruptHandler::new("dma")];

struct WithInterrupts;

impl EmbassyConfig<3, BUCKETS> for WithInterrupts {
    const REGISTRY: StaticRegistryConfig<3, BUCKETS> = config(MEGAHERTZ);

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPTS
    }
}

/// A handler of known load in the poll of a task, in an interrupt executor, in another handler, and while the core is
/// idle.
#[test]
fn an_interrupt_guard_takes_its_time_from_what_it_interrupts_once() {
    let player = Player::<3, 8, WithInterrupts>::new();
    player.play(&[
        (0, New(THREAD, SLOW)),
        (0, Ready(THREAD, SLOW)),
        (0, New(MIDDLE, QUICK)),
    ]);
    let uart = |from, to| {
        player.at(from);
        player.metrics.with_interrupt("uart", || {
            player.at(to);
        });
    };
    player.play(&[(0, PollStart(THREAD)), (0, Begin(THREAD, SLOW))]);
    uart(10, 15);
    player.play(&[(20, PollStart(MIDDLE)), (20, Begin(MIDDLE, QUICK))]);
    uart(25, 30);
    player.play(&[(40, End(MIDDLE, QUICK)), (40, Idle(MIDDLE))]);
    player.at(50);
    player.metrics.with_interrupt("dma", || {
        uart(52, 57);
        player.play(&[(60, PollStart(MIDDLE)), (70, Idle(MIDDLE))]);
        let (seen, now) = (player.trace(), 70);
        assert_eq!(
            seen.executors[0].preempted,
            us(5 + 20 + now - 50),
            "the handler in progress"
        );
        player.at(80);
    });
    player.play(&[(100, End(THREAD, SLOW)), (100, Idle(THREAD))]);
    uart(150, 155);
    player.at(200);

    let trace = player.trace();
    let (thread, middle) = (trace.executors[0], trace.executors[1]);
    assert_eq!((thread.polling, thread.preempted), (us(45), us(5 + 20 + 30)));
    assert_eq!(
        (middle.polling, middle.scheduling, middle.preempted),
        (us(15), us(10), us(5))
    );
    let handler = |number: u32| *trace.task(TaskRow::INTERRUPT, number).expect("a row");
    assert_eq!((handler(0).name.as_str(), handler(0).polls), ("uart", 4));
    assert_eq!((handler(0).active, handler(0).longest), (us(20), us(5)));
    assert_eq!(
        (handler(1).name.as_str(), handler(1).active),
        ("dma", us(30 - 5 - 10))
    );
    assert_eq!(
        trace.core_load(0),
        Some(105 * 1_000 / 200),
        "all that ran, and each once"
    );
    assert_eq!(trace.core_load(1), None);
    assert_eq!(player.metrics.with_interrupt("unknown", || 7), 7);
}

static INTERRUPT: [InterruptHandler; 1] = [InterruptHandler::new("uart")];

struct WithInterrupt;

impl EmbassyConfig<1, BUCKETS> for WithInterrupt {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = config(MEGAHERTZ);

    fn interrupts() -> &'static [InterruptHandler] {
        &INTERRUPT
    }
}

#[test]
fn an_interrupt_takes_its_time_from_the_only_executor() {
    let player = Player::<1, 4, WithInterrupt>::new();
    player.play(&[
        (0, New(THREAD, SLOW)),
        (0, Ready(THREAD, SLOW)),
        (0, PollStart(THREAD)),
        (0, Begin(THREAD, SLOW)),
    ]);
    player.at(10);
    player.metrics.with_interrupt("uart", || {
        player.at(17);
    });
    player.play(&[(20, End(THREAD, SLOW)), (20, Idle(THREAD))]);
    let trace = player.trace();
    assert_eq!(
        (trace.executors[0].polling, trace.executors[0].preempted),
        (us(13), us(7))
    );
    let handler = trace.task(TaskRow::INTERRUPT, 0).expect("a row");
    assert_eq!((handler.polls, handler.active), (1, us(7)));
}

static HANDLERS: [InterruptHandler; 2] = [InterruptHandler::new("log"), InterruptHandler::new("control")];

struct OnlyHandlers;

impl EmbassyConfig<1, BUCKETS> for OnlyHandlers {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = config(MEGAHERTZ);

    fn interrupts() -> &'static [InterruptHandler] {
        &HANDLERS
    }
}

/// The tasks of RTIC are handlers, and one that is stuck can be seen only while it runs.
#[test]
fn a_handler_in_progress_settles_as_it_goes() {
    let player = Player::<1, 4, OnlyHandlers>::new();
    player.play(&[(0, PollStart(THREAD)), (0, Idle(THREAD))]);
    player.at(10);
    player.metrics.with_interrupt("log", || {
        player.at(30);
        let log = player.task(TaskRow::INTERRUPT, 0);
        assert_eq!((log.polls, log.polling), (0, true));
        assert_eq!((log.active, log.longest), (us(20), us(20)));
        assert_eq!(player.trace().core_load(0), Some(667));
        player.metrics.with_interrupt("control", || {
            player.at(40);
            let control = player.task(TaskRow::INTERRUPT, 1);
            assert_eq!((control.active, control.polling), (us(10), true));
            assert_eq!(player.task(TaskRow::INTERRUPT, 0).active, us(20), "preempted");
            assert_eq!(player.trace().core_load(0), Some(750));
        });
        player.at(50);
    });
    let log = player.at(60).task(TaskRow::INTERRUPT, 0);
    assert_eq!((log.polls, log.polling), (1, false));
    assert_eq!((log.active, log.longest), (us(30), us(30)));
}

// Handlers of its own, since tests may run at the same time.
static HANDLER: [InterruptHandler; 1] = [InterruptHandler::new("read")];

struct OneHandler;

impl EmbassyConfig<1, BUCKETS> for OneHandler {
    const REGISTRY: StaticRegistryConfig<1, BUCKETS> = config(MEGAHERTZ);

    fn interrupts() -> &'static [InterruptHandler] {
        &HANDLER
    }
}

/// A reader at each reading of the clock while handlers begin and end.
#[test]
fn the_time_of_a_handler_never_goes_back() {
    let see = |player: &Player<1, 4, OneHandler>| {
        let row = player.task(TaskRow::INTERRUPT, 0);
        (!row.stale).then_some(row.active)
    };
    for reading in 0..12 {
        let player = Player::<1, 4, OneHandler>::new();
        player.play(&[(0, PollStart(THREAD)), (0, Idle(THREAD))]);
        let seen = Arc::new(Mutex::new(vec![]));
        let in_interrupt = seen.clone();
        player.interrupt_at(reading, move |player| {
            let active = see(player.at(player.now() + 5));
            in_interrupt.lock().expect("no reader panics").extend(active);
        });
        for _ in 0..3 {
            player.metrics.with_interrupt("read", || {
                player.at(player.now() + 10);
            });
            let active = see(&player);
            seen.lock().expect("no reader panics").extend(active);
        }
        let seen = seen.lock().expect("no reader panics");
        assert!(seen.len() >= 3 && seen.is_sorted(), "{reading}: {seen:?}");
    }
}
