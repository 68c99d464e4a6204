//! First floor, `net`: the body of a response, as it comes. Imports its neighbours in `net`.

use std::fmt;
use std::io::{self, Read};

use super::{NetError, OsConnection};

/// How many bytes are read at once. The number doubles each time that a read fills the buffer, up
/// to [`INPUT_MOST`]. A line between chunks is not longer than this.
const INPUT: usize = 16 * 1024;
const INPUT_MOST: usize = 64 * 1024;

/// How many bytes may come beside the body, with [`BESIDE`] more for each byte of the body: chunks
/// of one byte have five.
const FRAMING: u64 = 64 * 1024;
const BESIDE: u64 = 16;

/// For each byte of a body that came, room is made for so many of the promised bytes. (Doubling the
/// room would go through the allocator again and again, and fresh pages cost most.)
const TRUST: usize = 8;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// How far a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// So many bytes are left.
    Length(u64),
    /// All that comes belongs to it.
    UntilClose,
    /// The size of a chunk is next.
    Size,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The end of a chunk is next.
    ChunkEnd,
    /// A line after the last chunk is next.
    Trailer,
    /// It is over.
    End,
}

/// The body of a response, read as it comes: never more bytes than the limit, and never beyond the
/// deadline. A read that fails has a [`NetError`] in it.
///
/// The body is complete when a read answers 0: a body that is cut short is an error.
pub struct OsBody {
    input: Input,
    at: At,
    /// So many bytes it may have.
    limit: u64,
    /// So many came, and so many beside it.
    came: u64,
    beside: u64,
}

impl fmt::Debug for OsBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsBody")
            .field("at", &self.at)
            .field("came", &self.came)
            .finish_non_exhaustive()
    }
}

impl OsBody {
    pub(super) fn new(input: Input, framing: Framing, limit: u64) -> Result<Self, NetError> {
        let at = match framing {
            Framing::Length(length) if length > limit => return Err(NetError::TooLarge { limit }),
            Framing::Length(length) => At::Length(length),
            Framing::Chunked => At::Size,
            Framing::UntilClose => At::UntilClose,
        };
        Ok(OsBody { input, at, limit, came: 0, beside: 0 })
    }

    /// All of it.
    pub(super) fn whole(mut self) -> Result<Vec<u8>, NetError> {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let promised = match self.at {
            At::Length(length) => usize::try_from(length).unwrap_or(most),
            _ => 0,
        };
        let mut body = Vec::new();
        loop {
            let ready = self.ready()?;
            if ready == 0 {
                return Ok(body);
            }
            make_room(&mut body, ready, promised, most);
            body.extend_from_slice(&self.input.bytes()[..ready]);
            self.taken(ready);
        }
    }

    /// How many bytes of it are at the beginning of the input; at least one, or it is over.
    fn ready(&mut self) -> Result<usize, NetError> {
        loop {
            let left = match self.at {
                At::End | At::Length(0) => return Ok(0),
                At::Length(left) | At::Chunk(left) => usize::try_from(left).unwrap_or(usize::MAX),
                At::UntilClose => usize::MAX,
                At::Size | At::ChunkEnd | At::Trailer => {
                    self.line()?;
                    continue;
                }
            };
            let ready = self.input.bytes().len().min(left);
            if ready > 0 {
                // What is too much is not handed out, not even a part of it.
                let is_too_much = self.came.saturating_add(ready as u64) > self.limit;
                return if is_too_much { Err(self.too_large()) } else { Ok(ready) };
            }
            if self.input.fill(INPUT_MOST)? == 0 {
                match self.at {
                    At::UntilClose => self.at = At::End,
                    _ => return Err(cut_short()),
                }
            }
        }
    }

    fn too_large(&self) -> NetError {
        NetError::TooLarge { limit: self.limit }
    }

    /// So many of those that are ready are taken.
    fn taken(&mut self, bytes: usize) {
        self.input.consume(bytes);
        let bytes = bytes as u64;
        self.came += bytes;
        self.at = match self.at {
            At::Length(left) => At::Length(left.saturating_sub(bytes)),
            At::Chunk(left) if left > bytes => At::Chunk(left - bytes),
            At::Chunk(_) => At::ChunkEnd,
            at => at,
        };
    }

    /// Reads a line that is not of the body itself.
    fn line(&mut self) -> Result<(), NetError> {
        let bytes = self.input.bytes();
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            if bytes.len() >= INPUT {
                return Err(NetError::http(&"a line between chunks does not end"));
            }
            if self.input.fill(INPUT_MOST)? == 0 {
                // The last chunk is the last one, whatever was to come after it.
                match self.at {
                    At::Trailer if self.input.bytes().is_empty() => self.at = At::End,
                    _ => return Err(cut_short()),
                }
            }
            return Ok(());
        };
        let line = bytes[..end].strip_suffix(b"\r");
        let line = line.ok_or_else(|| NetError::http(&"a line between chunks ends without CR"))?;
        self.at = match self.at {
            At::Size => match size(line)? {
                0 => At::Trailer,
                size => At::Chunk(size),
            },
            At::ChunkEnd if line.is_empty() => At::Size,
            At::ChunkEnd => return Err(NetError::http(&"a chunk is longer than it says")),
            At::Trailer if line.is_empty() => At::End,
            at => at,
        };
        self.input.consume(end + 1);
        self.beside += end as u64 + 1;
        if self.beside > FRAMING.saturating_add(self.came.saturating_mul(BESIDE)) {
            return Err(NetError::HeadTooLarge { limit: FRAMING });
        }
        Ok(())
    }
}

/// The size of a chunk, by its line: what comes after a semicolon is the server's business.
fn size(line: &[u8]) -> Result<u64, NetError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(digits).ok();
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let size = digits.and_then(|text| u64::from_str_radix(text, 16).ok());
    size.ok_or_else(|| NetError::http(&"a chunk does not say how long it is"))
}

fn cut_short() -> NetError {
    NetError::http(&"the response's body is cut short")
}

impl Read for OsBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let ready = self.ready()?.min(into.len());
        into[..ready].copy_from_slice(&self.input.bytes()[..ready]);
        self.taken(ready);
        Ok(ready)
    }
}

/// Makes room for so many more bytes, and for some of those that are promised: never for more than
/// `most` in all.
fn make_room(body: &mut Vec<u8>, more: usize, promised: usize, most: usize) {
    let needed = body.len().saturating_add(more).min(most);
    if body.capacity() < needed {
        let ahead = promised.min(needed.saturating_mul(TRUST));
        let doubled = body.len().saturating_mul(2);
        let room = needed.max(ahead).max(doubled).min(most);
        body.reserve_exact(room - body.len());
    }
}

/// What was read and not yet consumed.
pub(super) struct Input {
    connection: OsConnection,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read filled the buffer: there may be more where that came from.
    full: bool,
}

impl Input {
    pub(super) fn new(connection: OsConnection) -> Self {
        Input { connection, buffer: vec![0; INPUT], start: 0, end: 0, full: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads more, until there are `most` bytes at most; how many it got: 0 at the end.
    pub(super) fn fill(&mut self, most: usize) -> Result<usize, NetError> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.full {
            let size = (self.buffer.len() * 2).min(INPUT_MOST);
            self.buffer.resize(size, 0);
        }
        let end = self.buffer.len().min(self.start + most);
        let got = self.connection.read(&mut self.buffer[self.end..end])?;
        self.end += got;
        self.full = self.end == self.buffer.len();
        Ok(got)
    }
}
