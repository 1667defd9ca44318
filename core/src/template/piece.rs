//! What a text is made of that is not wholly known yet.

use zeroize::Zeroizing;

use super::filter::{Filter, HmacKey};

/// A part of a text in which variables `V` are still to be replaced.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Piece<V> {
    /// What is known.
    Text(Zeroizing<String>),
    /// What is not.
    Variable(V),
    /// What is made from both.
    Filtered {
        /// What goes into the first filter.
        pieces: Vec<Self>,
        /// One after the other.
        filters: Vec<Filter<HmacKey>>,
    },
}

impl<V> Piece<V> {
    /// A copy of a text.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }

    /// What the filters make of the pieces: a text, where all of them are known.
    pub(super) fn filtered(pieces: Vec<Self>, filters: Vec<Filter<HmacKey>>) -> Self {
        match joined(pieces) {
            Ok(text) => Self::Text(apply(&filters, text)),
            Err(pieces) => Self::Filtered { pieces, filters },
        }
    }

    /// Whether `wanted` holds of one of its variables.
    pub(super) fn any(&self, wanted: &impl Fn(&V) -> bool) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Variable(variable) => wanted(variable),
            Self::Filtered { pieces, .. } => pieces.iter().any(|piece| piece.any(wanted)),
        }
    }

    fn rendered(&self, value: &impl Fn(&V) -> Zeroizing<String>) -> Zeroizing<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Variable(variable) => value(variable),
            Self::Filtered { pieces, filters } => apply(filters, rendered(pieces, value)),
        }
    }
}

/// The text, with `value` for each variable.
pub(super) fn rendered<V>(
    pieces: &[Piece<V>],
    value: &impl Fn(&V) -> Zeroizing<String>,
) -> Zeroizing<String> {
    let rendered: Vec<_> = pieces.iter().map(|piece| piece.rendered(value)).collect();
    concatenated(&rendered)
}

/// The pieces with `piece` for each variable.
///
/// # Errors
/// The first that `piece` gave.
pub(super) fn replaced<V, W, E>(
    pieces: &[Piece<V>],
    piece: &impl Fn(&V) -> Result<Piece<W>, E>,
) -> Result<Vec<Piece<W>>, E> {
    let replaced = pieces.iter().map(|each| {
        Ok(match each {
            Piece::Text(text) => Piece::Text(text.clone()),
            Piece::Variable(variable) => piece(variable)?,
            Piece::Filtered { pieces, filters } => {
                Piece::filtered(replaced(pieces, piece)?, filters.clone())
            }
        })
    });
    replaced.collect()
}

/// The whole text, where all of it is known; else the pieces, with neighbours
/// that are known made one.
pub(super) fn joined<V>(pieces: Vec<Piece<V>>) -> Result<Zeroizing<String>, Vec<Piece<V>>> {
    let mut known = Vec::new();
    let mut joined = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => known.push(text),
            other => {
                if !known.is_empty() {
                    joined.push(Piece::Text(concatenated(&known)));
                    known.clear();
                }
                joined.push(other);
            }
        }
    }
    if joined.is_empty() {
        return Ok(concatenated(&known));
    }
    if !known.is_empty() {
        joined.push(Piece::Text(concatenated(&known)));
    }
    Err(joined)
}

fn apply(filters: &[Filter<HmacKey>], text: Zeroizing<String>) -> Zeroizing<String> {
    filters
        .iter()
        .fold(text, |text, filter| filter.apply(&text))
}

/// One text of several.
pub(crate) fn concatenated(texts: &[Zeroizing<String>]) -> Zeroizing<String> {
    // One allocation of the final size: growing would leave copies behind.
    let length = texts.iter().map(|text| text.len()).sum();
    let mut whole = Zeroizing::new(String::with_capacity(length));
    for text in texts {
        whole.push_str(text);
    }
    whole
}
