//! Serialises a value to a plain JavaScript object, with a `BigInt` for each `u64`.

use core::cell::RefCell;
use core::fmt::{self, Display};
use js_sys::{Array, BigInt, Object, Reflect};
use serde::ser::{self, Serialize};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::JsValue;

/// Converts `value` to JavaScript: objects, arrays, strings, numbers up to 32 bits, `BigInts` and null.
///
/// It reports a binary format to Serde, so that 64-bit integers are serialised as integers and not as strings.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue, Failed> {
    value.serialize(ToJs)
}

/// The error of a value that has no form in JavaScript.
#[derive(Debug)]
pub(super) struct Failed(String);

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct ToJs;

macro_rules! scalars {
    ($($name:ident($kind:ty) $of:expr;)*) => {
        $(fn $name(self, value: $kind) -> Result<JsValue, Failed> {
            Ok($of(value))
        })*
    };
}

impl ser::Serializer for ToJs {
    type Ok = JsValue;
    type Error = Failed;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = ser::Impossible<JsValue, Failed>;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Variant;

    fn is_human_readable(&self) -> bool {
        false
    }

    scalars! {
        serialize_bool(bool) JsValue::from_bool;
        serialize_i8(i8) |value| JsValue::from_f64(f64::from(value));
        serialize_i16(i16) |value| JsValue::from_f64(f64::from(value));
        serialize_i32(i32) |value| JsValue::from_f64(f64::from(value));
        serialize_i64(i64) |value| JsValue::from(BigInt::from(value));
        serialize_u8(u8) |value| JsValue::from_f64(f64::from(value));
        serialize_u16(u16) |value| JsValue::from_f64(f64::from(value));
        serialize_u32(u32) |value| JsValue::from_f64(f64::from(value));
        serialize_u64(u64) |value| JsValue::from(BigInt::from(value));
        serialize_f32(f32) |value| JsValue::from_f64(f64::from(value));
        serialize_f64(f64) JsValue::from_f64;
        serialize_str(&str) JsValue::from_str;
    }

    fn serialize_char(self, value: char) -> Result<JsValue, Failed> {
        Ok(JsValue::from_str(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<JsValue, Failed> {
        Ok(js_sys::Uint8Array::from(value).into())
    }

    fn serialize_none(self) -> Result<JsValue, Failed> {
        Ok(JsValue::NULL)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<JsValue, Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<JsValue, Failed> {
        Ok(JsValue::NULL)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<JsValue, Failed> {
        Ok(JsValue::NULL)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<JsValue, Failed> {
        Ok(name_of(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<JsValue, Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<JsValue, Failed> {
        let fields = Fields::default();
        fields.set(variant, value)?;
        Ok(fields.object.into())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements, Failed> {
        Ok(Elements(Array::new()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements, Failed> {
        Ok(Elements(Array::new()))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements, Failed> {
        Ok(Elements(Array::new()))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Failed> {
        Err(Failed(format!("{name}::{variant} has no form in a snapshot")))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields, Failed> {
        Ok(Fields::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Failed> {
        Ok(Fields::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant, Failed> {
        Ok(Variant {
            name: variant,
            fields: Fields::default(),
        })
    }
}

thread_local! {
    /// The names of fields as strings of JavaScript, by address and length. To decode each of them again would take half of the time
    /// of a snapshot.
    static NAMES: RefCell<BTreeMap<(usize, usize), JsValue>> = const { RefCell::new(BTreeMap::new()) };
}

/// Returns a name as a string of JavaScript.
pub(super) fn name_of(name: &'static str) -> JsValue {
    NAMES.with_borrow_mut(|names| {
        let known = names.entry((name.as_ptr().addr(), name.len()));
        known.or_insert_with(|| JsValue::from_str(name)).clone()
    })
}

struct Elements(Array);

impl Elements {
    fn push<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failed> {
        self.0.push(&value.serialize(ToJs)?);
        Ok(())
    }
}

impl ser::SerializeSeq for Elements {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue, Failed> {
        Ok(self.0.into())
    }
}

impl ser::SerializeTuple for Elements {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue, Failed> {
        Ok(self.0.into())
    }
}

impl ser::SerializeTupleStruct for Elements {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue, Failed> {
        Ok(self.0.into())
    }
}

#[derive(Default)]
struct Fields {
    object: Object,
    key: JsValue,
}

impl Fields {
    fn set<T: Serialize + ?Sized>(&self, key: &'static str, value: &T) -> Result<(), Failed> {
        set(&self.object, &name_of(key), &value.serialize(ToJs)?)
    }

    fn done(self) -> JsValue {
        super::json::add_to_json(&self.object);
        self.object.into()
    }
}

fn set(object: &Object, key: &JsValue, value: &JsValue) -> Result<(), Failed> {
    match Reflect::set(object, key, value) {
        Ok(true) => Ok(()),
        // A fresh plain object takes any property.
        _ => Err(Failed("the host did not let a property be set".into())),
    }
}

impl ser::SerializeStruct for Fields {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failed> {
        self.set(key, value)
    }

    fn end(self) -> Result<JsValue, Failed> {
        Ok(self.done())
    }
}

impl ser::SerializeMap for Fields {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.key = key.serialize(ToJs)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        set(&self.object, &self.key, &value.serialize(ToJs)?)
    }

    fn end(self) -> Result<JsValue, Failed> {
        Ok(self.done())
    }
}

struct Variant {
    name: &'static str,
    fields: Fields,
}

impl ser::SerializeStructVariant for Variant {
    type Ok = JsValue;
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failed> {
        self.fields.set(key, value)
    }

    fn end(self) -> Result<JsValue, Failed> {
        let object = Object::new();
        set(&object, &name_of(self.name), &self.fields.done())?;
        super::json::add_to_json(&object);
        Ok(object.into())
    }
}
