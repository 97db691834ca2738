//! Reading wire types from what they are written as, and from nothing else.
//!
//! What serde derives reads a struct from an array as well, whose elements are its members in the
//! order of the source, and a variant from an object with its name as the only key. To whoever
//! sends such a body it is a mistake: `["none", null]` is no configuration that turns enforcement
//! off. So every part of a wire type is read through a deserializer that asks the format for a map
//! where it is asked for a struct, and for a string where it is asked for an enum.
//!
//! serde reads what is flattened, untagged or tagged inside from a buffer of its own, where this
//! deserializer ends; there it begins anew, with `deserialize_with`.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// Reads a value in which every struct is an object and every enum a string.
///
/// For `deserialize_with`, and for whole texts of a format that says what its values are, as JSON
/// does. Enums with data are not read.
///
/// # Errors
///
/// Those of the deserializer, and when a struct or an enum is something else.
///
/// ```
/// use threatinsight::{Configuration, strict};
///
/// let read = |text: &str| {
///     strict::<_, Configuration>(&mut serde_json::Deserializer::from_str(text))
/// };
/// assert!(read(r#"{"action": "audit"}"#).is_ok());
/// let error = read(r#"["audit", null]"#).unwrap_err();
/// assert!(error.to_string().starts_with("invalid type: sequence"));
/// ```
pub fn strict<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(Strict(deserializer))
}

/// A deserializer, or whatever of one is handed to what is read, that stays strict further down.
pub(crate) struct Strict<T>(pub(crate) T);

/// A visitor of an enum that is given a string.
struct Variant<V>(V);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Strict(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Variant(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64,
        visit_str: &str, visit_borrowed_str: &'de str, visit_string: String
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Variant<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        self.0.visit_enum(name)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Configuration, NetworkZone, Policy};

    /// Each text as it should be, and the same with one part written as something else.
    #[test]
    fn structs_are_objects_and_enums_are_strings_at_every_depth() {
        let policy = r#"{"action": "audit", "enforceFrom": "high", "zones": [ZONE],
            "patternsBeyondAuthentication": ["Password Spray"],
            "_links": {"self": {"href": "x", "hints": {"allow": []}}}}"#;
        let ip = r#"{"type": "IP", "name": "a", "status": "ACTIVE", "usage": "POLICY",
            "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]}"#;
        let dynamic = r#"{"type": "DYNAMIC_V2", "name": "a",
            "locations": {"include": [{"country": "DE"}]}, "asns": {"exclude": ["64496"]}}"#;
        for zone in [ip, dynamic] {
            serde_json::from_str::<NetworkZone>(zone).unwrap();
            let text = policy.replace("ZONE", zone);
            serde_json::from_str::<Policy>(&text).unwrap();
            serde_json::from_str::<Configuration>(&text).unwrap();
        }
        for (right, wrong) in [
            (r#""status": "ACTIVE""#, r#""status": {"ACTIVE": null}"#),
            (r#""usage": "POLICY""#, r#""usage": {"POLICY": null}"#),
            (
                r#"{"type": "CIDR", "value": "192.0.2.0/24"}"#,
                r#"["CIDR", "192.0.2.0/24"]"#,
            ),
            (r#""type": "CIDR""#, r#""type": {"CIDR": null}"#),
            (r#"{"country": "DE"}"#, r#"["DE", null]"#),
            (r#"{"include": [{"country": "DE"}]}"#, "[[], []]"),
            (r#"{"exclude": ["64496"]}"#, r#"[["64496"], []]"#),
            (ip, r#"["IP", {"name": "a"}]"#),
            (ip, r#"["IP", null, "a", "ACTIVE", "POLICY"]"#),
        ] {
            for zone in [ip, dynamic] {
                let spoilt = zone.replace(right, wrong);
                if spoilt != zone {
                    let error = serde_json::from_str::<NetworkZone>(&spoilt).unwrap_err();
                    assert!(
                        error.to_string().contains("invalid type"),
                        "{wrong}: {error}"
                    );
                    let text = policy.replace("ZONE", &spoilt);
                    serde_json::from_str::<Policy>(&text).unwrap_err();
                }
            }
        }
        for (right, wrong) in [
            (r#""audit""#, r#"{"audit": null}"#),
            (r#""high""#, r#"{"high": null}"#),
            (r#""Password Spray""#, r#"{"Password Spray": null}"#),
            (r#"{"href": "x", "hints": {"allow": []}}"#, r#"["x", null]"#),
            (r#"{"allow": []}"#, "[[]]"),
        ] {
            let spoilt = policy.replace("ZONE", ip).replace(right, wrong);
            let error = serde_json::from_str::<Policy>(&spoilt).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("invalid type"), "{wrong}: {error}");
        }
        for wrong in [
            r#"["none", null]"#,
            r#"["none", [], null, null, null, []]"#,
            "[]",
            "7",
        ] {
            serde_json::from_str::<Configuration>(wrong).unwrap_err();
            serde_json::from_str::<Policy>(wrong).unwrap_err();
        }
    }
}
