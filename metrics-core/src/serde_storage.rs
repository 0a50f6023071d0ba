//! Lists and text of any storage, serialised alike: what fixed storage writes, heap storage reads.

use crate::storage::{Rows, Text};
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// A list of any storage as a sequence.
pub(crate) mod rows {
    use super::{
        Deserialize, Deserializer, Error, PhantomData, Rows, SeqAccess, Serialize, SerializeSeq, Serializer,
        Visitor, fmt,
    };

    pub(crate) fn serialize<V: Serialize, R: Rows<V>, Z: Serializer>(
        rows: &R,
        serializer: Z,
    ) -> Result<Z::Ok, Z::Error> {
        let mut seq = serializer.serialize_seq(Some(rows.as_slice().len()))?;
        for row in rows.as_slice() {
            seq.serialize_element(row)?;
        }
        seq.end()
    }

    pub(crate) fn deserialize<'de, V: Deserialize<'de>, R: Rows<V>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<R, D::Error> {
        deserializer.deserialize_seq(List(PhantomData))
    }

    struct List<V, R>(PhantomData<(V, R)>);

    impl<'de, V: Deserialize<'de>, R: Rows<V>> Visitor<'de> for List<V, R> {
        type Value = R;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of workers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<R, A::Error> {
            let mut rows = R::default();
            while let Some(row) = seq.next_element()? {
                let full =
                    |_| A::Error::custom("more workers than this storage holds: read it with heap storage");
                rows.try_push(row).map_err(full)?;
            }
            Ok(rows)
        }
    }
}

/// Text of any storage as a string; what does not fit is cut.
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
