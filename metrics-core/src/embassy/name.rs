//! The name of a task or an interrupt.

use core::fmt;

use crate::sync::{AtomicU32, Ordering, const_unless_loom};

/// The longest name in bytes.
const BYTES: usize = 16;
const WORDS: usize = BYTES / size_of::<u32>();

/// The name of a task or an interrupt, of up to 16 bytes. A longer one is truncated. Empty if none was given.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskName {
    bytes: [u8; BYTES],
}

impl TaskName {
    /// Creates a name.
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; BYTES];
        let mut end = 0;
        for c in name.chars() {
            let Some(to) = bytes.get_mut(end..end + c.len_utf8()) else {
                break;
            };
            c.encode_utf8(to);
            end += c.len_utf8();
        }
        Self { bytes }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|&byte| byte == 0).unwrap_or(BYTES);
        // A name is cut off at a character boundary. Words of two names that are stored concurrently may not be valid UTF-8.
        str::from_utf8(self.bytes.get(..end).unwrap_or_default()).unwrap_or_default()
    }

    /// Returns `true` if no name was given.
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TaskName {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for TaskName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for TaskName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl serde::de::Visitor<'_> for Text {
            type Value = TaskName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<TaskName, E> {
                Ok(TaskName::new(name))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The cells of a name. A context that stores a name while another reads it may show parts of both.
#[derive(Debug)]
pub(super) struct NameCells([AtomicU32; WORDS]);

impl NameCells {
    const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self([const { AtomicU32::new(0) }; WORDS])
        }
    }

    pub(super) fn set(&self, name: &str) {
        let name = TaskName::new(name);
        let (words, _) = name.bytes.as_chunks();
        for (cell, &word) in self.0.iter().zip(words) {
            // Ordering: relaxed, here and below: a name publishes no other data.
            cell.store(u32::from_le_bytes(word), Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> TaskName {
        let mut name = TaskName::default();
        for (cell, bytes) in self.0.iter().zip(name.bytes.chunks_exact_mut(size_of::<u32>())) {
            bytes.copy_from_slice(&cell.load(Ordering::Relaxed).to_le_bytes());
        }
        name
    }
}
