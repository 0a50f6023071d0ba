//! The current worker of a thread: nobody asks for it.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

use super::runtime::Worker;

/// The guard of [`enter`], without size. It dereferences to its [`Worker`].
pub struct Entered {
    worker: Worker,
    /// It belongs to the thread it was made on.
    _thread: PhantomData<*const ()>,
}

/// Takes the worker, for its hooks to be called through the guard.
pub fn enter(worker: Worker) -> Entered {
    Entered {
        worker,
        _thread: PhantomData,
    }
}

impl Deref for Entered {
    type Target = Worker;

    #[inline(always)]
    fn deref(&self) -> &Worker {
        &self.worker
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}
