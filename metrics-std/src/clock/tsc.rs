//! [`TscClock`] reads the CPU's cycle counter, which [`quanta`](https://docs.rs/quanta) calibrates.

#[cfg(all(feature = "tsc", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    use core::time::Duration;

    use metrics_core::{TimeSource, Timestamp};

    /// Reads the x86-64 time stamp counter or the `AArch64` virtual counter as raw ticks of a calibrated rate.
    ///
    /// A reading is a single instruction, without a fence or a conversion. The registry converts differences to nanoseconds.
    #[derive(Clone, Debug)]
    pub struct TscClock {
        counter: quanta::Clock,
        ticks_per_second: u64,
    }

    /// A number of raw ticks that is large enough to give the calibrated ratio to ten digits, and small enough for its nanoseconds to
    /// fit in 64 bits with a 1 MHz counter.
    const SPAN: u64 = 1 << 50;
    const NANOS_PER_SECOND: u128 = 1_000_000_000;

    impl TscClock {
        /// Creates the clock. Returns `None` if the CPU has no counter with a constant rate in every sleep state, and without the feature
        /// `tsc`.
        ///
        /// The first call in a process calibrates the counter against the operating system's clock, which takes between 0.5 and 200 ms.
        pub fn new() -> Option<Self> {
            let counter = quanta::Clock::new();
            // quanta does not expose its ratio, but applies it to any span. A ratio of one means that quanta uses the OS clock, or a
            // counter of exactly 1 GHz, for which the OS clock is as good.
            let nanos = counter.delta_as_nanos(0, SPAN);
            if nanos == 0 || nanos == SPAN {
                return None;
            }
            let ticks_per_second = (u128::from(SPAN) * NANOS_PER_SECOND / u128::from(nanos)) as u64;
            Some(Self {
                counter,
                ticks_per_second,
            })
        }
    }

    impl TimeSource for TscClock {
        #[inline]
        fn now(&self) -> Timestamp {
            Timestamp::from_ticks(self.counter.raw())
        }

        fn ticks_per_second(&self) -> u64 {
            self.ticks_per_second
        }

        fn resolution(&self) -> Duration {
            // Rounded up, because a duration of zero means "exact".
            Duration::from_nanos((NANOS_PER_SECOND as u64).div_ceil(self.ticks_per_second.max(1)))
        }
    }
}

#[cfg(not(all(feature = "tsc", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod imp {
    use core::time::Duration;

    use metrics_core::{TimeSource, Timestamp};

    /// The CPU's cycle counter. In this build [`new`](Self::new) always returns `None`.
    #[derive(Clone, Debug)]
    pub struct TscClock(core::convert::Infallible);

    impl TscClock {
        /// Creates the clock. Returns `None` if the CPU has no counter with a constant rate in every sleep state, and without the feature
        /// `tsc`.
        pub fn new() -> Option<Self> {
            None
        }
    }

    impl TimeSource for TscClock {
        fn now(&self) -> Timestamp {
            match self.0 {}
        }

        fn ticks_per_second(&self) -> u64 {
            match self.0 {}
        }

        fn resolution(&self) -> Duration {
            match self.0 {}
        }
    }
}

pub use imp::TscClock;

#[cfg(all(test, feature = "tsc", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use metrics_core::{TimeScale, TimeSource};

    /// Compares quanta's calibrated rate with the OS clock over 20 ms of work.
    #[test]
    fn the_rate_agrees_with_the_operating_system() {
        let Some(clock) = TscClock::new() else { return };
        let scale = TimeScale::new(clock.ticks_per_second());
        let (began, ticks) = (std::time::Instant::now(), clock.now());
        while began.elapsed().as_millis() < 20 {
            core::hint::spin_loop();
        }
        let ours = scale.nanos(clock.now(), ticks) as f64;
        let theirs = began.elapsed().as_nanos() as f64;
        // The readings differ if the thread is descheduled between them, but a wrong rate differs by far more.
        assert!(
            (ours / theirs - 1.0).abs() < 0.2,
            "{ours} ns by the counter, {theirs} by the OS"
        );
    }

    #[test]
    fn the_resolution_is_a_tick_rounded_up_to_nanoseconds() {
        let Some(clock) = TscClock::new() else { return };
        let tick = 1e9 / clock.ticks_per_second() as f64;
        let resolution = clock.resolution().as_nanos() as f64;
        assert!(
            resolution >= tick && resolution < tick + 1.0,
            "{resolution} for {tick}"
        );
    }

    #[test]
    fn readings_of_one_thread_never_go_back() {
        let Some(clock) = TscClock::new() else { return };
        let mut last = clock.now();
        for _ in 0..100_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
