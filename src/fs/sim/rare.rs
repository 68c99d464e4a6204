//! First floor: what few open files of a simulated world have, behind one pointer, so that the others
//! are no larger for it. Imports its parent module.

use std::sync::Arc;

use super::listing::Stream;
use super::records::Record;

/// How far a directory has been read, once it has, and the bytes that there are record locks on. Nothing
/// where there is neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rare(Option<Box<Parts>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Parts {
    stream: Option<Arc<Stream>>,
    records: Vec<Record>,
}

impl Rare {
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn stream(&self) -> Option<&Stream> {
        self.0.as_ref()?.stream.as_deref()
    }

    pub(super) fn records(&self) -> &[Record] {
        self.0.as_ref().map_or(&[], |parts| &parts.records)
    }

    pub(super) fn set_stream(&mut self, stream: Option<Stream>) {
        if stream.is_some() || !self.is_nothing() {
            self.change(|parts| parts.stream = stream.map(Arc::new));
        }
    }

    pub(super) fn set_records(&mut self, records: Vec<Record>) {
        if !records.is_empty() || !self.is_nothing() {
            self.change(|parts| parts.records = records);
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.0.take().unwrap_or_default();
        change(&mut parts);
        self.0 = (*parts != Parts::default()).then_some(parts);
    }
}
