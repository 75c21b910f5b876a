//! `config.json` of a Hugging Face repository: the architecture of a model that the catalogue lacks.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::catalog::{Mla, ModelSpec, Moe, NativeDtype, SlidingWindow, Source};

/// Model types whose layers are laid out as the serving model assumes.
const KNOWN: &[&str] = &[
    "llama",
    "llama4",
    "llama4_text",
    "mistral",
    "mistral3",
    "ministral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_5",
    "qwen3_5_text",
    "qwen3_5_moe",
    "qwen3_5_moe_text",
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "kimi_k2",
    "kimi_k25",
    "glm4",
    "glm4_moe",
    "glm_moe_dsa",
    "gpt_oss",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gemma4",
    "gemma4_text",
    "phi",
    "phi3",
    "phimoe",
    "gptj",
    "gpt_neox",
    "gpt2",
    "opt",
    "falcon",
    "cohere",
    "cohere2",
    "olmo",
    "olmo2",
    "olmoe",
    "starcoder2",
    "stablelm",
    "yi",
    "internlm2",
    "exaone",
    "exaone4",
    "granite",
    "granitemoe",
    "minimax_m2",
    "ernie4_5",
    "ernie4_5_moe",
    "smollm3",
    "seed_oss",
    "hunyuan_v1_dense",
    "hunyuan_v1_moe",
    "dots1",
    "bloom",
    "mpt",
];

/// Model types whose feed-forward layers have two matrices, not three.
const TWO_MATRICES: &[&str] =
    &["gptj", "gpt_neox", "gpt2", "opt", "falcon", "phi", "starcoder2", "bloom", "mpt"];

/// Largest file that is read, in bytes.
const BYTES_MAX: u64 = 2_000_000;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum HfConfigError {
    /// The disk says no.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No JSON.
    #[error("{} is not JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// A model type that is not known.
    #[error(
        "{}: model_type \"{found}\" is an architecture that is not known; its speed would be a guess. Known are {}", path.display(), KNOWN.join(", ")
    )]
    Architecture {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// A field that is missing or no number.
    #[error("{}: {field} is {found}; write {remedy}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which.
        field: &'static str,
        /// What was found.
        found: String,
        /// What to write.
        remedy: &'static str,
    },
    /// A quantisation that is not known.
    #[error(
        "{}: quantization_config.quant_method \"{found}\" is not known; state --weights (fp8, int8, int4, mxfp4, nvfp4, bf16)", path.display()
    )]
    Quantisation {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
}

/// Reads a `config.json`, or the one in a folder.
///
/// # Errors
/// [`HfConfigError`] names file, field, what was found and what to write.
pub fn read(path: &Path) -> Result<ModelSpec, HfConfigError> {
    let file = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
    let at = |source| HfConfigError::Read { path: file.clone(), source };
    if std::fs::metadata(&file).map_err(at)?.len() > BYTES_MAX {
        return Err(at(std::io::Error::other("it is larger than any configuration")));
    }
    let text = std::fs::read_to_string(&file).map_err(at)?;
    parse(&text, &file)
}

/// Reads the text of a `config.json`.
///
/// # Errors
/// [`HfConfigError`] names file, field, what was found and what to write.
pub fn parse(text: &str, path: &Path) -> Result<ModelSpec, HfConfigError> {
    let root: Value =
        serde_json::from_str(text).map_err(|source| HfConfigError::Json { path: path.to_owned(), source })?;
    let config = Config { path, root: &root, text: root.get("text_config").filter(|v| v.is_object()) };
    config.spec()
}

struct Config<'a> {
    path: &'a Path,
    root: &'a Value,
    /// The language part of a model that also sees or hears.
    text: Option<&'a Value>,
}

impl Config<'_> {
    fn get(&self, names: &[&str]) -> Option<&Value> {
        let in_value = |value: &'_ Value, name: &str| value.get(name).filter(|v| !v.is_null()).is_some();
        for name in names {
            for value in self.text.into_iter().chain(std::iter::once(self.root)) {
                if in_value(value, name) {
                    return value.get(*name);
                }
            }
        }
        None
    }

    fn count(&self, names: &[&str]) -> Option<u32> {
        let value = self.get(names)?;
        let number = value.as_u64().or_else(|| value.as_array()?.first()?.as_u64())?;
        u32::try_from(number).ok().filter(|n| *n > 0)
    }

    fn needed(
        &self,
        field: &'static str,
        names: &[&str],
        remedy: &'static str,
    ) -> Result<u32, HfConfigError> {
        self.count(names).ok_or_else(|| HfConfigError::Field {
            path: self.path.to_owned(),
            field,
            found: self.get(names).map_or_else(|| "missing".to_owned(), ToString::to_string),
            remedy,
        })
    }

    fn text_of(&self, names: &[&str]) -> String {
        self.get(names).and_then(Value::as_str).unwrap_or_default().to_lowercase()
    }

    fn spec(&self) -> Result<ModelSpec, HfConfigError> {
        let kind = self.text_of(&["model_type"]);
        if !KNOWN.contains(&kind.as_str()) {
            let found = if kind.is_empty() { "(missing)".to_owned() } else { kind };
            return Err(HfConfigError::Architecture { path: self.path.to_owned(), found });
        }
        let hidden = self.needed(
            "hidden_size",
            &["hidden_size", "n_embd", "d_model"],
            "the width of the residual stream",
        )?;
        let layers = self.needed(
            "num_hidden_layers",
            &["num_hidden_layers", "n_layer", "n_layers"],
            "the number of layers",
        )?;
        let heads = self.needed(
            "num_attention_heads",
            &["num_attention_heads", "n_head", "n_heads"],
            "the number of attention heads",
        )?;
        let vocab = self.needed("vocab_size", &["vocab_size"], "the size of the vocabulary")?;
        let kv_heads = self.count(&["num_key_value_heads", "num_kv_heads", "n_head_kv"]).unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            return Err(HfConfigError::Field {
                path: self.path.to_owned(),
                field: "num_key_value_heads",
                found: kv_heads.to_string(),
                remedy: "a divisor of num_attention_heads",
            });
        }
        let mla = self.mla();
        let head_dim = match &mla {
            Some(mla) => mla.nope_dim + mla.rope_dim,
            None => self.count(&["head_dim"]).unwrap_or((hidden / heads).max(1)),
        };
        let intermediate = self
            .count(&["intermediate_size_mlp", "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"])
            .unwrap_or(4 * hidden);
        let moe = self.moe(intermediate);
        let tied =
            self.get(&["tie_word_embeddings"]).and_then(Value::as_bool).unwrap_or(kind.starts_with("gemma"));
        let (kv_layers, sliding_window) = self.layers(layers);
        let native_dtype = self.dtype(moe.is_some())?;
        let mut spec = ModelSpec {
            id: self.path.display().to_string(),
            name: self.path.display().to_string(),
            hf_id: String::new(),
            family: kind.clone(),
            total_params: 0.0,
            active_params: 0.0,
            layers,
            kv_layers,
            hidden,
            heads,
            kv_heads,
            head_dim,
            intermediate,
            vocab,
            context_max: self
                .count(&["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"])
                .unwrap_or(131_072),
            moe,
            mla,
            sliding_window,
            tied_embeddings: tied,
            native_dtype,
            checkpoint_bytes: None,
            verified: true,
            notes: "Parameters counted from the configuration.".to_owned(),
            source: Source {
                citation: self.path.display().to_string(),
                url: None,
                read: jiff::civil::date(2026, 11, 24),
            },
        };
        let matrices = if TWO_MATRICES.contains(&kind.as_str()) { 2.0 } else { 3.0 };
        count_params(&mut spec, matrices);
        Ok(spec)
    }

    fn mla(&self) -> Option<Mla> {
        Some(Mla {
            q_lora_rank: self.count(&["q_lora_rank"]),
            kv_lora_rank: self.count(&["kv_lora_rank"])?,
            rope_dim: self.count(&["qk_rope_head_dim"])?,
            nope_dim: self.count(&["qk_nope_head_dim"])?,
            v_dim: self.count(&["v_head_dim"])?,
        })
    }

    fn moe(&self, intermediate: u32) -> Option<Moe> {
        let experts =
            self.count(&["n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts"])?;
        let width = match self.count(&["moe_intermediate_size", "expert_intermediate_size"]) {
            Some(width) => width,
            // Llama 4 names the expert's width intermediate_size and the dense layers' intermediate_size_mlp.
            None => self.count(&["intermediate_size"]).unwrap_or(intermediate),
        };
        let shared = self
            .count(&["shared_expert_intermediate_size"])
            .or_else(|| self.count(&["n_shared_experts", "num_shared_experts"]).map(|n| n * width))
            .unwrap_or(0);
        (experts > 1).then(|| Moe {
            experts,
            top_k: self
                .count(&["num_experts_per_tok", "experts_per_token", "moe_topk", "top_k_experts"])
                .unwrap_or(1),
            intermediate: width,
            shared_intermediate: shared,
            first_dense_layers: self.count(&["first_k_dense_replace"]).unwrap_or(0),
            every_n: self
                .count(&["interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_freq"])
                .unwrap_or(1),
        })
    }

    /// Layers with KV where some have none, and sliding ones.
    fn layers(&self, layers: u32) -> (Option<u32>, Option<SlidingWindow>) {
        let kinds: Vec<&str> = self
            .get(&["layer_types"])
            .and_then(Value::as_array)
            .map(|kinds| kinds.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let of = |needle: &str| kinds.iter().filter(|kind| kind.contains(needle)).count() as u32;
        let linear = match self.count(&["full_attention_interval"]) {
            Some(every) if kinds.is_empty() => layers - layers / every,
            _ => of("linear"),
        };
        let kv_layers = (linear > 0 && linear < layers).then_some(layers - linear);
        let used = self.get(&["use_sliding_window"]).and_then(Value::as_bool).unwrap_or(true);
        let window = self.count(&["sliding_window", "attention_chunk_size"]).filter(|_| used);
        let sliding = match (of("sliding") + of("chunked"), self.count(&["sliding_window_pattern"])) {
            (0, Some(pattern)) => layers - layers / pattern,
            (0, None) if kinds.is_empty() => layers,
            (sliding, _) => sliding,
        };
        let sliding_window = window.filter(|_| sliding > 0).map(|window| SlidingWindow {
            window,
            sliding_layers: sliding,
            global_layers: layers - sliding,
            global_kv_elements: None,
        });
        (kv_layers, sliding_window)
    }

    fn dtype(&self, experts: bool) -> Result<NativeDtype, HfConfigError> {
        let quantisation = self.get(&["quantization_config"]);
        let method = quantisation.and_then(|q| q.get("quant_method")).and_then(Value::as_str);
        match method.map(str::to_lowercase).as_deref() {
            Some("fp8" | "fbgemm_fp8") => Ok(NativeDtype::Fp8),
            Some("mxfp4") => Ok(NativeDtype::Mxfp4Experts),
            Some("awq" | "gptq") if experts => Ok(NativeDtype::Int4Experts),
            // The format can be stated with --weights; what follows from the file is 16 bit.
            Some("awq" | "gptq" | "compressed-tensors" | "modelopt" | "bitsandbytes" | "quark") => {
                Ok(NativeDtype::Bf16)
            }
            Some(other) => {
                Err(HfConfigError::Quantisation { path: self.path.to_owned(), found: other.to_owned() })
            }
            None if self.text_of(&["torch_dtype", "dtype"]) == "float16" => Ok(NativeDtype::Fp16),
            None => Ok(NativeDtype::Bf16),
        }
    }
}

/// Counts weights: attention, feed-forward or experts, embeddings.
fn count_params(spec: &mut ModelSpec, matrices: f64) {
    let (hidden, heads) = (f64::from(spec.hidden), f64::from(spec.heads));
    let attention = match &spec.mla {
        None => hidden * f64::from(spec.head_dim) * 2.0 * (heads + f64::from(spec.kv_heads)),
        Some(m) => {
            let key = f64::from(m.nope_dim + m.rope_dim);
            let queries =
                m.q_lora_rank.map_or(hidden * heads * key, |rank| f64::from(rank) * (hidden + heads * key));
            queries
                + hidden * f64::from(m.kv_lora_rank + m.rope_dim)
                + f64::from(m.kv_lora_rank) * heads * f64::from(m.nope_dim + m.v_dim)
                + heads * f64::from(m.v_dim) * hidden
        }
    };
    let layers = f64::from(spec.layers);
    let sparse = f64::from(spec.moe_layers());
    let dense = (layers - sparse) * matrices * hidden * f64::from(spec.intermediate);
    let (routed, chosen, shared) = spec.moe.map_or((0.0, 0.0, 0.0), |moe| {
        let one = 3.0 * hidden * f64::from(moe.intermediate);
        (
            sparse * f64::from(moe.experts) * one,
            sparse * f64::from(moe.top_k.min(moe.experts)) * one,
            sparse * (3.0 * hidden * f64::from(moe.shared_intermediate) + hidden * f64::from(moe.experts)),
        )
    });
    let embedding = f64::from(spec.vocab) * hidden;
    let tables = if spec.tied_embeddings { 1.0 } else { 2.0 };
    let body = layers * attention + dense + shared;
    spec.total_params = body + routed + tables * embedding;
    spec.active_params = body + chosen + embedding;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn parsed(text: &str) -> Result<ModelSpec, HfConfigError> {
        parse(text, Path::new("config.json"))
    }

    const LLAMA: &str = r#"{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
        "num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"max_position_embeddings":131072}"#;

    #[test]
    fn llama_3_1_8b_comes_out_as_its_row_in_the_catalogue() {
        let spec = parsed(LLAMA).unwrap();
        let row = Catalog::shipped().model("llama-3.1-8b").unwrap();
        assert!((spec.total_params / row.total_params - 1.0).abs() < 1e-3, "{}", spec.total_params);
        assert!((spec.active_params / row.active_params - 1.0).abs() < 1e-3, "{}", spec.active_params);
        assert_eq!(spec.kv_bytes_per_token(2.0), row.kv_bytes_per_token(2.0));
    }

    #[test]
    fn deepseek_v3_comes_out_as_its_row_in_the_catalogue() {
        let spec = parsed(
            r#"{"model_type":"deepseek_v3","hidden_size":7168,"num_hidden_layers":61,"num_attention_heads":128,
            "num_key_value_heads":128,"intermediate_size":18432,"moe_intermediate_size":2048,"n_routed_experts":256,
            "num_experts_per_tok":8,"n_shared_experts":1,"first_k_dense_replace":3,"moe_layer_freq":1,"q_lora_rank":1536,
            "kv_lora_rank":512,"qk_rope_head_dim":64,"qk_nope_head_dim":128,"v_head_dim":128,"vocab_size":129280,
            "max_position_embeddings":163840,"quantization_config":{"quant_method":"fp8"}}"#,
        )
        .unwrap();
        let row = Catalog::shipped().model("deepseek-v3").unwrap();
        assert!((spec.total_params / row.total_params - 1.0).abs() < 5e-3, "{}", spec.total_params);
        assert!((spec.active_params / row.active_params - 1.0).abs() < 0.02, "{}", spec.active_params);
        assert_eq!((spec.mla, spec.native_dtype), (row.mla, NativeDtype::Fp8));
    }

    #[test]
    fn what_is_wrong_is_named_with_a_remedy() {
        let check = |text: &str, needle: &str| {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        };
        check("{", "not JSON");
        check(r#"{"model_type":"mamba2"}"#, "\"mamba2\"");
        check("{}", "(missing)");
        check(&LLAMA.replace("\"hidden_size\":4096,", ""), "hidden_size is missing");
        check(&LLAMA.replace("4096", "\"wide\""), "hidden_size is \"wide\"");
        check(&LLAMA.replace("\"num_key_value_heads\":8", "\"num_key_value_heads\":7"), "a divisor");
        let quantised =
            LLAMA.replace("{\"model", "{\"quantization_config\":{\"quant_method\":\"secret\"},\"model");
        check(&quantised, "\"secret\"");
    }
}
