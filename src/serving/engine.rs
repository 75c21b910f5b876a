//! Classes of inference engines, and how old their software is.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A class of engines that share their overheads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Engine {
    /// TensorRT-LLM.
    TrtLlm,
    /// vLLM, and what is like it (TGI).
    Vllm,
    /// SGLang.
    Sglang,
    /// LMDeploy TurboMind.
    LmDeploy,
    /// llama.cpp and its kin (Ollama, ExLlama, MLX): one stream at a time.
    LlamaCpp,
}

/// An engine that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{text}\" is not an engine that is known; write vllm, sglang, trtllm, lmdeploy or llamacpp")]
pub struct UnknownEngine {
    /// What was found.
    pub text: String,
}

impl Engine {
    /// All of them, in order of display.
    pub const ALL: &[Self] = &[Self::Vllm, Self::Sglang, Self::TrtLlm, Self::LmDeploy, Self::LlamaCpp];

    /// Name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TrtLlm => "TensorRT-LLM",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LmDeploy => "LMDeploy",
            Self::LlamaCpp => "llama.cpp",
        }
    }

    /// Reads a name as people and tables write it: `vLLM (ROCm)`, `TensorRT 10.2.0, CUDA 12.4`, `SGLang v0.4.9`.
    ///
    /// # Errors
    /// [`UnknownEngine`] with the names that are known.
    pub fn parse(text: &str) -> Result<Self, UnknownEngine> {
        let lower = text.to_lowercase();
        let has = |needle: &str| lower.contains(needle);
        if has("sglang") {
            Ok(Self::Sglang)
        } else if has("vllm") || has("tgi") || has("text-generation-inference") || has("atom") {
            Ok(Self::Vllm)
        } else if has("trt") || has("tensorrt") || lower.starts_with("cuda") {
            Ok(Self::TrtLlm)
        } else if has("lmdeploy") || has("turbomind") {
            Ok(Self::LmDeploy)
        } else if has("llama.cpp")
            || has("llamacpp")
            || has("ollama")
            || has("ggml")
            || has("mlx")
            || has("exllama")
        {
            Ok(Self::LlamaCpp)
        } else {
            Err(UnknownEngine { text: text.trim().to_owned() })
        }
    }

    /// When a version came out, as a year with its fraction; `None` where it is not known.
    ///
    /// Source: release dates on the projects' pages, to the month.
    #[must_use]
    pub fn year(self, version: &str) -> Option<f64> {
        const TRT: &[(&str, f64)] = &[
            ("0.5", 2023.8),
            ("0.6", 2023.95),
            ("0.7", 2024.05),
            ("0.8", 2024.15),
            ("0.9", 2024.3),
            ("0.10", 2024.45),
            ("0.11", 2024.55),
            ("0.12", 2024.65),
            ("0.13", 2024.75),
            ("0.14", 2024.85),
            ("0.15", 2024.95),
            ("0.16", 2025.0),
            ("0.17", 2025.1),
            ("0.18", 2025.2),
            ("0.19", 2025.35),
            ("0.20", 2025.45),
            ("0.21", 2025.5),
            ("1.0", 2025.7),
            ("1.1", 2025.9),
            ("1.2", 2026.1),
            ("1.3", 2026.25),
        ];
        const VLLM: &[(&str, f64)] = &[
            ("0.2", 2023.8),
            ("0.3", 2024.1),
            ("0.4", 2024.3),
            ("0.5", 2024.5),
            ("0.6", 2024.75),
            ("0.7", 2025.1),
            ("0.8", 2025.25),
            ("0.9", 2025.45),
            ("0.10", 2025.6),
            ("0.11", 2025.8),
            ("0.12", 2025.95),
            ("0.13", 2026.0),
            ("0.14", 2026.05),
            ("0.15", 2026.1),
            ("0.16", 2026.15),
            ("0.17", 2026.2),
            ("0.18", 2026.25),
            ("0.19", 2026.3),
        ];
        const SGLANG: &[(&str, f64)] = &[
            ("0.2", 2024.55),
            ("0.3", 2024.75),
            ("0.4", 2025.2),
            ("0.5.3", 2025.75),
            ("0.5.5", 2025.85),
            ("0.5.6", 2025.95),
            ("0.5.8", 2026.1),
            ("0.5.9", 2026.2),
            ("0.5", 2025.8),
        ];
        let table = match self {
            Self::TrtLlm => TRT,
            Self::Vllm => VLLM,
            Self::Sglang => SGLANG,
            Self::LmDeploy | Self::LlamaCpp => return None,
        };
        let digits = version.trim().trim_start_matches(['v', 'V']);
        let is = |prefix: &str| {
            digits.strip_prefix(prefix).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        table.iter().find(|(prefix, _)| is(prefix)).map(|(_, year)| *year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_read_as_tables_write_them() {
        assert_eq!(Engine::parse("TensorRT 10.2.0, CUDA 12.4"), Ok(Engine::TrtLlm));
        assert_eq!(Engine::parse("vLLM (ROCm)"), Ok(Engine::Vllm));
        assert_eq!(Engine::parse("LMDeploy TurboMind"), Ok(Engine::LmDeploy));
        assert!(Engine::parse("abacus").is_err());
    }

    #[test]
    fn a_version_is_not_mistaken_for_its_prefix() {
        assert_eq!(Engine::Vllm.year("0.10.2"), Some(2025.6));
        assert_eq!(Engine::TrtLlm.year("v0.20"), Some(2025.45));
        assert_eq!(Engine::TrtLlm.year("v0.5.0"), Some(2023.8));
        assert_eq!(Engine::TrtLlm.year("1.2.0rc6.post2"), Some(2026.1));
        assert_eq!(Engine::Sglang.year("0.5.9"), Some(2026.2));
        assert_eq!(Engine::Vllm.year(""), None);
    }
}
