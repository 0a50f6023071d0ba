//! Serialisation of text, which all storages share: heap storage can read what static storage writes.

use crate::storage::Text;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// Serialises text of any storage as a string. Text that does not fit is truncated.
pub(crate) mod text {
    use super::{Deserializer, Error, PhantomData, Serializer, Text, Visitor, fmt};

    pub(crate) fn serialize<X: Text, Z: Serializer>(text: &X, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.serialize_str(text.as_ref())
    }

    pub(crate) fn deserialize<'de, X: Text, D: Deserializer<'de>>(deserializer: D) -> Result<X, D::Error> {
        deserializer.deserialize_str(Str(PhantomData))
    }

    struct Str<X>(PhantomData<X>);

    impl<X: Text> Visitor<'_> for Str<X> {
        type Value = X;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: Error>(self, string: &str) -> Result<X, E> {
            let mut text = X::default();
            let _ = string.chars().try_for_each(|c| text.write_char(c));
            Ok(text)
        }
    }
}
