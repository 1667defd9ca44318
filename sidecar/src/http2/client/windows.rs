//! What providers may send before it is read: memory that is promised to them.

use std::sync::Arc;

use crate::budget::{Budget, Reserved};

/// Two sizes, so that the calls of a pod that makes few are fast from another
/// continent, and a pod can make many without being able to run out of memory.
#[derive(Debug)]
pub(crate) struct Windows([Size; 2]);

/// What all streams of one connection are given. The window of a connection is
/// that of all its streams, so that those that nobody reads never stop the
/// others.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    /// Bytes.
    pub(super) stream: u32,
    /// The most streams of one connection, whatever the provider allows.
    pub(super) streams: u32,
    all: Arc<Budget>,
}

impl Default for Windows {
    fn default() -> Self {
        const KIB: u32 = 1024;
        Self([
            // For 64 calls, more than a megabyte a second from another
            // continent.
            Size::new(128 * KIB, 64, 8 * 1024 * KIB),
            // For 512 more.
            Size::new(16 * KIB, 64, 8 * 1024 * KIB),
        ])
    }
}

impl Windows {
    /// The largest of which there is one, and that one.
    pub(crate) fn take(&self) -> Option<(Size, Reserved)> {
        self.0
            .iter()
            .find_map(|size| Some((size.clone(), size.take()?)))
    }
}

impl Size {
    fn new(stream: u32, streams: u32, all: u32) -> Self {
        Self {
            stream,
            streams,
            all: Budget::of(all as usize),
        }
    }

    /// The window of a connection, in bytes.
    pub(super) fn connection(&self) -> u32 {
        self.stream * self.streams
    }

    /// The window of one stream, if there is memory for it.
    pub(super) fn take(&self) -> Option<Reserved> {
        let mut window = self.all.reserve();
        window.grow(self.stream as usize).then_some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_large_ones_first_then_small_ones_then_none() {
        let windows = Windows::default();
        let taken: Vec<_> = std::iter::from_fn(|| windows.take()).collect();
        let sizes: Vec<_> = taken.iter().map(|(size, _)| size.stream).collect();
        assert_eq!(
            sizes,
            [[128 * 1024; 64].as_slice(), &[16 * 1024; 512]].concat()
        );
        let all: u32 = sizes.iter().sum();
        assert_eq!(all, 16 * 1024 * 1024);
        drop(taken);
        assert!(windows.take().is_some());
    }
}
