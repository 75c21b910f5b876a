//! Files that may be compressed: gzip and zstd, known by their first bytes, whatever they are called.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A file's content, unpacked while it is read.
pub(super) type Input = BufReader<Box<dyn Read + Send>>;

/// Bytes that are read or unpacked at a time.
const AT_A_TIME: usize = 1 << 16;

/// Opens a file, or says that it is a folder; reads on as it is asked to, whatever the file's size.
///
/// # Errors
/// What the system says; while reading, [`io::ErrorKind::UnexpectedEof`] or another kind where the packed bytes are
/// cut off or damaged.
pub(super) fn open(path: &Path) -> io::Result<Input> {
    let mut file = BufReader::with_capacity(AT_A_TIME, File::open(path)?);
    let unpacked: Box<dyn Read + Send> = match file.fill_buf()? {
        [0x1F, 0x8B, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Box::new(Zstd::new(file)),
        // A frame that is to be skipped may come first.
        [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Box::new(Zstd::new(file)),
        _ => Box::new(file),
    };
    Ok(BufReader::with_capacity(AT_A_TIME, unpacked))
}

/// Frames of zstd one after the other.
struct Zstd {
    packed: BufReader<File>,
    /// Decodes one frame.
    frame: FrameDecoder,
    inside: bool,
}

impl Zstd {
    fn new(packed: BufReader<File>) -> Self {
        Self { packed, frame: FrameDecoder::new(), inside: false }
    }

    /// Starts the next frame; `false` at the end of the file.
    fn start(&mut self) -> io::Result<bool> {
        while !self.packed.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(&mut (&mut self.packed).take(u64::from(length)), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
        Ok(false)
    }

    /// The frame is decoded: its sum must agree with what was written.
    fn end(&self) -> io::Result<()> {
        match (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum()) {
            (Some(written), Some(found)) if written != found => Err(damaged("its checksum does not agree")),
            _ => Ok(()),
        }
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Read for Zstd {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside {
                if !self.start()? {
                    return Ok(0);
                }
                self.inside = true;
            }
            let n = self.frame.read(out)?;
            if n > 0 {
                return Ok(n);
            }
            if self.frame.is_finished() {
                self.end()?;
                self.inside = false;
            } else {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.packed, some).map_err(damaged)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text).expect("packs");
        packer.finish().expect("packs")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn read(content: &[u8]) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("any.name");
        std::fs::write(&path, content).expect("written");
        let mut text = Vec::new();
        open(&path)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn packed_and_plain_files_give_the_same_bytes_whatever_their_name() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| format!("{i},").into_bytes()).collect();
        let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'][..], &zstd(&text)].concat();
        for packed in [text.clone(), gzip(&text), zstd(&text), skipped] {
            assert!(read(&packed).expect("reads") == text);
        }
        let twice = [text.clone(), text.clone()].concat();
        for packed in [[gzip(&text), gzip(&text)].concat(), [zstd(&text), zstd(&text)].concat()] {
            assert!(read(&packed).expect("reads") == twice);
        }
        assert!(read(b"").expect("reads").is_empty());
    }

    #[test]
    fn a_packed_file_that_is_cut_off_or_damaged_is_an_error_and_never_a_shorter_file() {
        let text = b"2,3\n".repeat(10_000);
        for packed in [gzip(&text), zstd(&text)] {
            for kept in [5, packed.len() / 2, packed.len() - 1] {
                read(&packed[..kept]).expect_err("cut off");
            }
        }
        let mut damaged = gzip(&text);
        let last = damaged.len() - 6;
        damaged[last] ^= 0xFF;
        read(&damaged).expect_err("checksum");
        read(&[&zstd(&text)[..], b"tail"].concat()).expect_err("not a frame");
    }
}
