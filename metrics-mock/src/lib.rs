//! The async runtime metrics API doing nothing.
#![no_std]
