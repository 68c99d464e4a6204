//! Ground floor: parts of file names that nobody else uses or can guess. Imports nothing of this
//! crate.

/// The digits of a name part.
pub(crate) const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// 16 hexadecimal digits, random; `None` where the system has no random numbers to give.
pub(crate) fn nonce() -> Option<[u8; 16]> {
    let nonce = getrandom::u64().ok()?;
    Some(std::array::from_fn(|digit| DIGITS[(nonce >> (4 * digit)) as usize & 0xf]))
}
