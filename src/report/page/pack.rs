//! Fourth floor, `report`: what is shown in the page, as text that is safe inside of HTML. Imports serde,
//! miniz_oxide and base64.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

/// The effort that goes into compressing, of 10.
const EFFORT: u8 = 9;

/// JSON that cannot end the element that it is in, whatever is told.
pub(super) fn embedded(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// JSON, compressed as the browser's `DecompressionStream("deflate-raw")` takes it, in Base64.
pub(super) fn packed(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_vec(value)?;
    Ok(BASE64_STANDARD.encode(miniz_oxide::deflate::compress_to_vec(&json, EFFORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element_that_it_is_in() {
        let told = ["</script><script>alert(1)</script>", "<!--"];
        let embedded = embedded(&told).unwrap();
        assert!(!embedded.contains('<'), "{embedded}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&embedded).unwrap(), told);
    }

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let told = "claim ".repeat(100);
        let packed = packed(&told).unwrap();
        assert!(packed.len() < 60, "{packed}");
        let bytes = BASE64_STANDARD.decode(packed).unwrap();
        let json = miniz_oxide::inflate::decompress_to_vec(&bytes).unwrap();
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), told);
    }
}
