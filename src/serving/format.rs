//! Formats of weights as engines and GGUF files keep them, with their real bytes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Precision;

/// A format of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WeightFormat {
    /// 32 bit.
    Fp32,
    /// IEEE half precision.
    Fp16,
    /// bfloat16.
    Bf16,
    /// 8 bit floating point, scaled by tensor, channel or block.
    Fp8,
    /// 8 bit integer.
    Int8,
    /// 4 bit floating point, an 8 bit scale for each 32.
    Mxfp4,
    /// 4 bit floating point, an 8 bit scale for each 16.
    Nvfp4,
    /// 4 bit integer with group scales (AWQ, GPTQ).
    Int4,
    /// A mix of a GGUF file.
    Gguf(GgufMix),
}

/// The mixes that llama.cpp writes. Bits per weight are those of whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(non_camel_case_types, reason = "the names that the files carry")]
#[expect(missing_docs, reason = "the names say it: bits, kind of block, size")]
pub enum GgufMix {
    IQ2_XS,
    Q2_K,
    IQ3_XS,
    Q3_K_S,
    Q3_K_M,
    Q3_K_L,
    IQ4_XS,
    Q4_0,
    Q4_1,
    Q4_K_S,
    Q4_K_M,
    Q5_0,
    Q5_1,
    Q5_K_S,
    Q5_K_M,
    Q6_K,
    Q8_0,
}

/// Name and bits per weight. Source: llama.cpp `tools/quantize/README.md`, Llama 3.1 8B; Q4_0 to Q5_1 by their blocks
/// of 32 (4.5 to 6.0 bits) and a head in Q6_K.
const MIXES: &[(&str, GgufMix, f64)] = &[
    ("iq2_xs", GgufMix::IQ2_XS, 2.59),
    ("q2_k", GgufMix::Q2_K, 3.16),
    ("iq3_xs", GgufMix::IQ3_XS, 3.50),
    ("q3_k_s", GgufMix::Q3_K_S, 3.64),
    ("q3_k_m", GgufMix::Q3_K_M, 4.00),
    ("q3_k_l", GgufMix::Q3_K_L, 4.30),
    ("iq4_xs", GgufMix::IQ4_XS, 4.46),
    ("q4_0", GgufMix::Q4_0, 4.55),
    ("q4_1", GgufMix::Q4_1, 5.05),
    ("q4_k_s", GgufMix::Q4_K_S, 4.67),
    ("q4_k_m", GgufMix::Q4_K_M, 4.89),
    ("q5_0", GgufMix::Q5_0, 5.55),
    ("q5_1", GgufMix::Q5_1, 6.05),
    ("q5_k_s", GgufMix::Q5_K_S, 5.57),
    ("q5_k_m", GgufMix::Q5_K_M, 5.70),
    ("q6_k", GgufMix::Q6_K, 6.56),
    ("q8_0", GgufMix::Q8_0, 8.50),
];

/// How wide the operands of the arithmetic are, and so which of the calibrated efficiencies applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// 16 bit and more.
    Sixteen,
    /// 8 bit.
    Eight,
    /// 4 bit and less.
    Four,
}

/// A format that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "\"{text}\" is not a weight format that is known; write fp32, fp16, bf16, fp8, int8, mxfp4, nvfp4, int4 or a GGUF mix such as q4_k_m"
)]
pub struct UnknownFormat {
    /// What was found.
    pub text: String,
}

impl WeightFormat {
    /// Reads a name as people and checkpoints write it: `fp8`, `FP8 (native checkpoint)`, `Q4_K_M`, `w4a16`, `awq`.
    ///
    /// # Errors
    /// [`UnknownFormat`] with the names that are known.
    pub fn parse(text: &str) -> Result<Self, UnknownFormat> {
        let lower = text.trim().to_lowercase().replace('-', "_");
        let word = lower.split([' ', '(', '/', ',']).next().unwrap_or_default();
        let unknown = || UnknownFormat { text: text.trim().to_owned() };
        if let Some((_, mix, _)) = MIXES.iter().find(|(name, ..)| *name == word) {
            return Ok(Self::Gguf(*mix));
        }
        match word {
            "fp32" | "f32" | "float32" => Ok(Self::Fp32),
            "fp16" | "f16" | "float16" | "half" => Ok(Self::Fp16),
            "bf16" | "bfloat16" => Ok(Self::Bf16),
            "fp8" | "f8" | "fp8_block" | "fp8_e4m3" | "e4m3" | "w8a8_fp8" => Ok(Self::Fp8),
            "int8" | "w8a8" | "w8a16" | "i8" | "q8" => Ok(Self::Int8),
            "mxfp4" => Ok(Self::Mxfp4),
            "nvfp4" | "fp4" => Ok(Self::Nvfp4),
            "int4" | "awq" | "gptq" | "w4a16" | "i4" | "q4" => Ok(Self::Int4),
            _ => Err(unknown()),
        }
    }

    /// Name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp8 => "FP8",
            Self::Int8 => "INT8",
            Self::Mxfp4 => "MXFP4",
            Self::Nvfp4 => "NVFP4",
            Self::Int4 => "INT4",
            Self::Gguf(mix) => MIXES.iter().find(|(_, m, _)| *m == mix).map_or("GGUF", |(name, ..)| name),
        }
    }

    /// Bytes of one weight, scales included.
    #[must_use]
    pub fn bytes_per_weight(self) -> f64 {
        match self {
            Self::Fp32 => 4.0,
            Self::Fp16 | Self::Bf16 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Mxfp4 => 0.5 + 1.0 / 32.0,
            Self::Nvfp4 => 0.5 + 1.0 / 16.0,
            Self::Int4 => 0.5 + 2.5 / 128.0,
            Self::Gguf(mix) => MIXES.iter().find(|(_, m, _)| *m == mix).map_or(2.0, |(.., bits)| bits / 8.0),
        }
    }

    /// Width of its arithmetic.
    #[must_use]
    pub fn width(self) -> Width {
        let bytes = self.bytes_per_weight();
        if bytes >= 2.0 {
            Width::Sixteen
        } else if bytes >= 0.9 {
            Width::Eight
        } else {
            Width::Four
        }
    }

    /// Whether blocks of the K kind have to be unpacked, which costs more arithmetic than the plain ones.
    #[must_use]
    pub fn is_k_mix(self) -> bool {
        matches!(self, Self::Int4) || matches!(self, Self::Gguf(mix) if format!("{mix:?}").contains("_K"))
    }
}

impl From<Precision> for WeightFormat {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Bf16 => Self::Bf16,
            Precision::Fp8 => Self::Fp8,
            Precision::Int8 => Self::Int8,
            Precision::Int4 => Self::Int4,
            Precision::Fp4 => Self::Nvfp4,
        }
    }
}

impl Precision {
    /// Reads a format of the KV cache: `fp8`, `bf16`, `auto` (16 bit).
    ///
    /// # Errors
    /// [`UnknownFormat`] with the names that are known.
    pub fn parse(text: &str) -> Result<Self, UnknownFormat> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Bf16);
        }
        Ok(match WeightFormat::parse(text)? {
            WeightFormat::Fp32 => Self::Fp32,
            WeightFormat::Fp16 | WeightFormat::Bf16 => Self::Bf16,
            WeightFormat::Fp8 => Self::Fp8,
            WeightFormat::Int8 | WeightFormat::Gguf(GgufMix::Q8_0) => Self::Int8,
            WeightFormat::Mxfp4 | WeightFormat::Nvfp4 => Self::Fp4,
            WeightFormat::Int4 | WeightFormat::Gguf(_) => Self::Int4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let check = |text, format| assert_eq!(WeightFormat::parse(text), Ok(format), "{text}");
        check("FP8 (native checkpoint)", WeightFormat::Fp8);
        check("FP16/BF16(mixed)", WeightFormat::Fp16);
        check("BF16 (default)", WeightFormat::Bf16);
        check("INT4 (AWQ/GPTQ)", WeightFormat::Int4);
        check("Q4_K_M", WeightFormat::Gguf(GgufMix::Q4_K_M));
        check("nvfp4", WeightFormat::Nvfp4);
        assert!(WeightFormat::parse("int3").unwrap_err().to_string().contains("q4_k_m"));
    }

    #[test]
    fn a_q4_k_m_file_of_llama_3_8b_has_the_size_that_was_measured() {
        // 4.58 GiB of 8.03e9 weights, as published.
        let bytes = 8.03e9 * WeightFormat::Gguf(GgufMix::Q4_K_M).bytes_per_weight();
        assert!((bytes / (4.58 * f64::from(1 << 30)) - 1.0).abs() < 0.01, "{bytes}");
    }
}
