//! Counting the tokens of a text with public tokenizers.
//!
//! Answers how long a prompt is for a model: the OpenAI encodings ship inside the program, any other model brings
//! its Hugging Face `tokenizer.json`. Nothing is downloaded. Counts are of the text alone: what a chat template or
//! a beginning-of-text token adds is the vendor's, and not counted here.
//! Start with [`Tokenizer::load`], then [`Tokenizer::count`] or [`Tokenizer::summary`].

mod summary;

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tiktoken_rs::CoreBPE;

pub use summary::{LengthSummary, Split};

/// Largest `tokenizer.json` that is read. The largest public ones (vocabularies of 256 K) have some 35 MB.
const FILE_BYTES_MAX: u64 = 200_000_000;

/// Longest stretch of text that is given to an encoder at once, in bytes.
///
/// Byte-pair merging and the splitting pattern may take time with the square of a stretch without a break.
const STRETCH_BYTES: usize = 16_384;

/// Which tokenizer counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// OpenAI `o200k_base`: GPT-4o and later.
    #[default]
    O200k,
    /// OpenAI `cl100k_base`: GPT-4, GPT-3.5 and the `text-embedding-3` models.
    Cl100k,
    /// A Hugging Face `tokenizer.json` at this path.
    HuggingFace(PathBuf),
}

impl Encoding {
    /// The encodings that need no file.
    pub const BUILT_IN: [Self; 2] = [Self::O200k, Self::Cl100k];

    /// The name that a person knows it by; for a file its folder, which names the model by custom.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::O200k => "o200k_base".to_owned(),
            Self::Cl100k => "cl100k_base".to_owned(),
            Self::HuggingFace(path) => path
                .parent()
                .and_then(Path::file_name)
                .or_else(|| path.file_name())
                .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
        }
    }
}

/// Why a tokenizer cannot be had or cannot count; names the file and what to give instead.
#[derive(Debug, Error)]
pub enum TokenizerError {
    /// The file cannot be opened.
    #[error("cannot read the tokenizer: {source}; give the path of a Hugging Face tokenizer.json: {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, or a file of another kind that models come with.
    #[error("this is {found}, not a tokenizer.json; {instead}: {}", path.display())]
    WrongFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What to give.
        instead: &'static str,
    },
    /// Larger than any tokenizer is.
    #[error("the file has {bytes} bytes, a tokenizer.json has at most {FILE_BYTES_MAX}: {}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The content is not what the format asks for.
    #[error("not a Hugging Face tokenizer.json ({reason}); give the tokenizer.json of the model: {}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader of the format said.
        reason: String,
    },
    /// The tokenizer has no token for a part of the text.
    #[error("{name} cannot encode this text: {reason}")]
    Encode {
        /// The tokenizer.
        name: String,
        /// What it said.
        reason: String,
    },
}

/// A loaded tokenizer. Cheap for the built-in encodings after the first use, which builds their tables.
pub struct Tokenizer {
    name: String,
    kind: Kind,
}

enum Kind {
    OpenAi(&'static CoreBPE),
    HuggingFace(Box<tokenizers::Tokenizer>),
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Loads `encoding`: tables that ship inside, or a file.
    ///
    /// A file that asks for truncation or padding is taken without: a count of 512 for a text of 9,000 tokens
    /// would be the limit of one model, not the length of the text.
    ///
    /// # Errors
    /// [`TokenizerError`] names the file and what to give instead.
    pub fn load(encoding: &Encoding) -> Result<Self, TokenizerError> {
        let kind = match encoding {
            Encoding::O200k => Kind::OpenAi(tiktoken_rs::o200k_base_singleton()),
            Encoding::Cl100k => Kind::OpenAi(tiktoken_rs::cl100k_base_singleton()),
            Encoding::HuggingFace(path) => Kind::HuggingFace(Box::new(from_file(path)?)),
        };
        Ok(Self { name: encoding.name(), kind })
    }

    /// The name of the encoding.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tokens of `text`, special tokens read as plain text and none added.
    ///
    /// The built-in encodings cut runs of more than 16 KiB even where there is no exact place to (no space before
    /// a letter), which may add a token per cut.
    ///
    /// # Errors
    /// [`TokenizerError::Encode`] if the vocabulary has no token for a part of the text and no unknown token.
    pub fn count(&self, text: &str) -> Result<usize, TokenizerError> {
        match self.kind {
            Kind::OpenAi(_) => stretches(text).map(|stretch| self.count_stretch(stretch)).sum(),
            // Where a file's tokenizer may be cut is its own affair: some put a mark before every text.
            Kind::HuggingFace(_) => self.count_stretch(text),
        }
    }

    /// Counts of many texts, and their distribution; `None` when there is no text.
    ///
    /// # Errors
    /// As [`Tokenizer::count`].
    pub fn summary<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Option<LengthSummary>, TokenizerError> {
        let counts = texts.into_iter().map(|text| self.count(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(LengthSummary::of(counts))
    }

    fn count_stretch(&self, text: &str) -> Result<usize, TokenizerError> {
        let encode = |reason: String| TokenizerError::Encode { name: self.name.clone(), reason };
        // Both libraries unwrap their pattern matcher, which gives up on text made to confuse it.
        catch_unwind(AssertUnwindSafe(|| match &self.kind {
            Kind::OpenAi(bpe) => Ok(bpe.encode_ordinary(text).len()),
            Kind::HuggingFace(tokenizer) => tokenizer
                .encode_fast(text, false)
                .map(|encoding| encoding.len())
                .map_err(|error| encode(error.to_string())),
        }))
        .unwrap_or_else(|_| Err(encode("its pattern gave up".to_owned())))
    }
}

fn from_file(path: &Path) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let read = |source| TokenizerError::Read { path: path.to_owned(), source };
    let wrong = |found, instead| TokenizerError::WrongFile { path: path.to_owned(), found, instead };
    let metadata = fs::metadata(path).map_err(read)?;
    if metadata.is_dir() {
        return Err(wrong("a folder", "give the tokenizer.json in it"));
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some("tokenizer.model") => {
            return Err(wrong("a SentencePiece model", "give the tokenizer.json beside it"));
        }
        Some("tokenizer_config.json") => {
            return Err(wrong("the configuration of a tokenizer", "give the tokenizer.json beside it"));
        }
        _ => {}
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(TokenizerError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
    }
    let content = fs::read(path).map_err(read)?;
    let format = |reason: String| TokenizerError::Format { path: path.to_owned(), reason };
    let mut tokenizer =
        tokenizers::Tokenizer::from_bytes(content).map_err(|error| format(error.to_string()))?;
    tokenizer.with_truncation(None).map_err(|error| format(error.to_string()))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// Cuts a long text where the count does not change: before a space that parts a word from the next.
///
/// The patterns of the encodings join a space to the word behind it and look ahead only within spaces, so such a
/// cut is a border of pieces anyway.
fn stretches(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (stretch, after) = rest.split_at(cut(rest));
        rest = after;
        Some(stretch)
    })
}

fn cut(text: &str) -> usize {
    if text.len() <= STRETCH_BYTES {
        return text.len();
    }
    let limit = text.floor_char_boundary(STRETCH_BYTES);
    let bytes = text.as_bytes();
    let parts_words = |at: usize| {
        bytes.get(at) == Some(&b' ')
            && at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric)
            && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic)
    };
    (1..limit).rev().find(|&at| parts_words(at)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(encoding: &Encoding) -> Tokenizer {
        Tokenizer::load(encoding).expect("loads")
    }

    fn count(encoding: &Encoding, text: &str) -> usize {
        load(encoding).count(text).expect("counts")
    }

    fn word_level(extra: &str) -> String {
        format!(
            r#"{{"version":"1.0","truncation":{{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0}},
            "padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{{"type":"Whitespace"}},
            "post_processor":null,"decoder":null,
            "model":{{"type":"WordLevel","vocab":{{"one":0,"two":1{extra}}},"unk_token":"[UNK]"}}}}"#
        )
    }

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(name);
        fs::write(&path, content).expect("write");
        (folder, path)
    }

    #[test]
    fn the_encodings_count_what_openai_prints() {
        // Counts of tiktoken for these texts, from the cookbook "How to count tokens with tiktoken".
        for (text, cl100k, o200k) in
            [("antidisestablishmentarianism", 6, 6), ("2 + 2 = 4", 7, 7), ("お誕生日おめでとう", 9, 8)]
        {
            assert_eq!(count(&Encoding::Cl100k, text), cl100k, "{text}");
            assert_eq!(count(&Encoding::O200k, text), o200k, "{text}");
        }
        assert_eq!(count(&Encoding::Cl100k, "tiktoken is great!"), 6);
        assert_eq!(count(&Encoding::O200k, ""), 0);
    }

    #[test]
    fn a_special_token_in_a_prompt_is_only_text() {
        assert!(count(&Encoding::O200k, "<|endoftext|>") > 1);
    }

    #[test]
    fn cutting_a_long_text_between_words_keeps_the_count() {
        let text = "The quick brown fox, 12 of them;  jumps\n\nover 3.5 lazy dogs' tails. ".repeat(1_000);
        for encoding in Encoding::BUILT_IN {
            let tokenizer = load(&encoding);
            let whole = tokenizer.count_stretch(&text).expect("whole");
            assert!(stretches(&text).count() > 3);
            assert_eq!(stretches(&text).collect::<String>(), text);
            assert_eq!(tokenizer.count(&text).expect("cut"), whole);
        }
    }

    #[test]
    fn text_without_any_break_is_counted_in_reasonable_pieces() {
        let tokenizer = load(&Encoding::O200k);
        for unit in ["a", " ", "\n", "é", "𝕏", "!", "\u{0}", "ab\u{301}"] {
            let text = unit.repeat(200_000 / unit.len());
            let tokens = tokenizer.count(&text).expect("counts");
            assert!(tokens > 0 && tokens <= text.len(), "{unit:?} {tokens}");
        }
    }

    #[test]
    fn a_tokenizer_file_counts_without_its_truncation() {
        let (_folder, path) = file("tokenizer.json", word_level(r#","[UNK]":2"#).as_bytes());
        let encoding = Encoding::HuggingFace(path);
        assert_eq!(count(&encoding, "one two one two three"), 5);
        assert_eq!(count(&encoding, ""), 0);
    }

    #[test]
    fn a_word_without_a_token_is_an_error_and_not_a_zero() {
        let (_folder, path) = file("tokenizer.json", word_level("").as_bytes());
        let error = load(&Encoding::HuggingFace(path)).count("one seven").expect_err("no token");
        assert!(error.to_string().contains("cannot encode this text"), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_says_what_to_give() {
        let cases: [(&str, &[u8], &str); 5] = [
            ("tokenizer.json", b"{\"version\":", "not a Hugging Face tokenizer.json"),
            ("tokenizer.json", b"\xff\xfe\x00", "not a Hugging Face tokenizer.json"),
            ("tokenizer.json", b"{}", "not a Hugging Face tokenizer.json"),
            ("tokenizer.model", b"\x0a\x0e", "give the tokenizer.json beside it"),
            ("tokenizer_config.json", b"{}", "give the tokenizer.json beside it"),
        ];
        for (name, content, expected) in cases {
            let (folder, path) = file(name, content);
            let error = Tokenizer::load(&Encoding::HuggingFace(path.clone())).expect_err(name).to_string();
            assert!(error.contains(expected) && error.ends_with(&path.display().to_string()), "{error}");
            let error =
                Tokenizer::load(&Encoding::HuggingFace(folder.path().to_owned())).expect_err("folder");
            assert!(error.to_string().contains("a folder"), "{error}");
        }
        let error =
            Tokenizer::load(&Encoding::HuggingFace("/nowhere/tokenizer.json".into())).expect_err("absent");
        assert!(error.to_string().contains("cannot read the tokenizer"), "{error}");
    }
}
