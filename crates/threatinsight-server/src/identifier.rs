//! Fresh identifiers in the shapes that clients of the real service know.

use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `prefix` and `length` random characters of `[A-Za-z0-9]`.
pub(crate) fn fresh(prefix: &str, length: usize) -> String {
    let mut text = String::with_capacity(prefix.len() + length);
    text.push_str(prefix);
    let mut left = length;
    while left > 0 {
        for (place, byte) in random().into_iter().enumerate() {
            // Bytes 6 and 8 hold the version of the format (RFC 9562). 248 is the greatest
            // multiple of 62 in a byte: above it, characters would be uneven.
            let character = usize::from(byte % 62);
            if !matches!(place, 6 | 8)
                && byte < 248
                && left > 0
                && let Some(character) = ALPHABET.get(character)
            {
                text.push(char::from(*character));
                left -= 1;
            }
        }
    }
    text
}

/// Sixteen bytes, of which 122 bits are random.
pub(crate) fn random() -> [u8; 16] {
    *Uuid::new_v4().as_bytes()
}

/// A zone's id.
pub(crate) fn zone() -> String {
    fresh("nzo", 17)
}

/// The id of one error answer.
pub(crate) fn error() -> String {
    fresh("oae", 22)
}

/// The id of one request.
pub(crate) fn request() -> String {
    fresh("req", 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_have_the_shape_of_the_real_ones() {
        let id = zone();
        let tail = id.strip_prefix("nzo").unwrap();
        assert_eq!(tail.len(), 17);
        assert!(
            tail.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
        assert_ne!(id, zone());
    }
}
