//! Finding a GPU or a model by a name as tables, engines and people write it.
//!
//! Never a silent stand-in: a name that is not recognised is unknown, and a variant that the catalogue lacks (a laptop
//! part, another suffix) is not taken for its sibling.

use super::{Catalog, GpuSpec, ModelSpec};

/// Words that mark a variant: an accelerator matches only if it has the same ones.
const VARIANTS: &[&str] = &[
    "ti",
    "super",
    "mobile",
    "laptop",
    "max",
    "ultra",
    "pro",
    "xt",
    "xtx",
    "gre",
    "d",
    "ada",
    "nvl",
    "cpu",
    "workstation",
    "server",
    "q",
    "sff",
];

/// Words of an accelerator's name, and the row that they mean; the longest list that matches wins.
const GPUS: &[(&[&str], &str)] = &[
    (&["h100"], "h100-sxm-80gb"),
    (&["h100", "80gb"], "h100-sxm-80gb"),
    (&["h100", "sxm"], "h100-sxm-80gb"),
    (&["h100", "pcie"], "h100-pcie-80gb"),
    (&["h100", "nvl"], "h100-nvl-94gb"),
    (&["h100", "94gb"], "h100-nvl-94gb"),
    (&["h200"], "h200-sxm-141gb"),
    (&["h200", "nvl"], "h200-nvl-141gb"),
    (&["h20"], "h20-96gb"),
    (&["h20", "141gb"], "h20-141gb"),
    (&["h800"], "h800-sxm-80gb"),
    (&["h800", "pcie"], "h800-pcie-80gb"),
    (&["a800"], "a800-sxm-80gb"),
    (&["a100"], "a100-sxm-80gb"),
    (&["a100", "80gb"], "a100-sxm-80gb"),
    (&["a100", "sxm"], "a100-sxm-80gb"),
    (&["a100", "40gb"], "a100-sxm-40gb"),
    (&["a100", "sxm", "40gb"], "a100-sxm-40gb"),
    (&["a100", "pcie"], "a100-pcie-80gb"),
    (&["a100", "pcie", "40gb"], "a100-pcie-40gb"),
    (&["a30"], "a30"),
    (&["a40"], "a40"),
    (&["a10"], "a10"),
    (&["a10g"], "a10g"),
    (&["a16"], "a16-16gb"),
    (&["l2"], "l2"),
    (&["l4"], "l4"),
    (&["l20"], "l20"),
    (&["l40"], "l40"),
    (&["l40s"], "l40s"),
    (&["t4"], "t4"),
    (&["v100"], "v100-sxm-32gb"),
    (&["v100", "16gb"], "v100-sxm-16gb"),
    (&["v100", "pcie"], "v100-pcie-32gb"),
    (&["v100", "pcie", "16gb"], "v100-pcie-16gb"),
    (&["m40"], "m40-24gb"),
    (&["p40"], "p40"),
    (&["p100"], "p100-16gb"),
    (&["b200"], "b200-sxm-180gb"),
    (&["b300"], "b300-sxm-288gb"),
    (&["gb200"], "gb200-192gb"),
    (&["gb300"], "gb300-288gb"),
    (&["gh200"], "gh200-96gb"),
    (&["gh200", "144gb"], "gh200-144gb"),
    (&["mi50"], "mi50-32gb"),
    (&["mi60"], "mi60-32gb"),
    (&["mi100"], "mi100-32gb"),
    (&["mi210"], "mi210-64gb"),
    (&["mi250x"], "mi250x-128gb"),
    (&["mi250"], "mi250x-128gb"),
    (&["mi300a"], "mi300a-128gb"),
    (&["mi300x"], "mi300x-192gb"),
    (&["mi308x"], "mi308x-192gb"),
    (&["mi325x"], "mi325x-256gb"),
    (&["mi350x"], "mi350x-288gb"),
    (&["mi355x"], "mi355x-288gb"),
    (&["gaudi", "2"], "gaudi-2"),
    (&["gaudi2"], "gaudi-2"),
    (&["hl", "225"], "gaudi-2"),
    (&["gaudi", "3"], "gaudi-3"),
    (&["gaudi3"], "gaudi-3"),
    (&["hl", "325l"], "gaudi-3"),
    (&["v5e"], "tpu-v5e"),
    (&["v6e"], "tpu-v6e"),
    (&["trillium"], "tpu-v6e"),
    (&["a6000"], "rtx-a6000"),
    (&["a5000"], "rtx-a5000"),
    (&["a4500"], "rtx-a4500"),
    (&["a4000"], "rtx-a4000"),
    (&["a2000"], "rtx-a2000"),
    (&["a400"], "rtx-a400"),
    (&["6000", "ada"], "rtx-6000-ada"),
    (&["5000", "ada"], "rtx-5000-ada"),
    (&["4500", "ada"], "rtx-4500-ada"),
    (&["4000", "ada"], "rtx-4000-ada"),
    (&["4000", "20gb"], "rtx-4000-ada"),
    (&["4000", "sff", "ada"], "rtx-4000-sff-ada"),
    (&["2000", "ada"], "rtx-2000-ada"),
    (&["quadro", "8000"], "quadro-rtx-8000"),
    (&["quadro", "6000"], "quadro-rtx-6000"),
    (&["pro", "5000"], "rtx-pro-5000-48gb"),
    (&["pro", "4500"], "rtx-pro-4500"),
    (&["pro", "4000"], "rtx-pro-4000"),
    (&["pro", "6000"], "rtx-pro-6000-server"),
    (&["pro", "6000", "server"], "rtx-pro-6000-server"),
    (&["pro", "6000", "workstation"], "rtx-pro-6000-workstation"),
    (&["pro", "6000", "max", "q"], "rtx-pro-6000-max-q"),
    (&["gb10"], "dgx-spark-gb10"),
    (&["dgx", "spark"], "dgx-spark-gb10"),
    (&["ascent", "gx10"], "dgx-spark-gb10"),
    (&["thor"], "jetson-agx-thor-128gb"),
    (&["agx", "orin"], "jetson-agx-orin-64gb"),
    (&["strix", "halo"], "strix-halo-128gb"),
    (&["max", "395"], "strix-halo-128gb"),
    (&["8060s"], "strix-halo-128gb"),
    (&["framework", "desktop"], "strix-halo-128gb"),
    (&["pro", "r9700"], "radeon-ai-pro-r9700"),
    (&["r9700"], "radeon-ai-pro-r9700"),
    (&["w7900"], "radeon-pro-w7900"),
    (&["pro", "w7900"], "radeon-pro-w7900"),
    (&["pro", "w7800"], "radeon-pro-w7800"),
    (&["pro", "w7700"], "radeon-pro-w7700"),
    (&["a750"], "arc-a750"),
    (&["a770"], "arc-a770-16gb"),
    (&["a310"], "arc-a310"),
    (&["b570"], "arc-b570"),
    (&["b580"], "arc-b580"),
    (&["pro", "b50"], "arc-pro-b50"),
    (&["pro", "b60"], "arc-pro-b60"),
    (&["580"], "rx-580"),
    (&["vega", "64"], "rx-vega-64"),
    (&["radeon", "vii"], "radeon-vii"),
    (&["radeon", "pro", "vii"], "radeon-vii"),
    (&["5700", "xt"], "rx-5700-xt"),
    (&["6500", "xt"], "rx-6500-xt"),
    (&["6600"], "rx-6600"),
    (&["6600", "xt"], "rx-6600-xt"),
    (&["6700", "xt"], "rx-6700-xt"),
    (&["6750", "xt"], "rx-6750-xt"),
    (&["6800"], "rx-6800"),
    (&["6800", "xt"], "rx-6800-xt"),
    (&["6900", "xt"], "rx-6900-xt"),
    (&["6950", "xt"], "rx-6950-xt"),
    (&["7600"], "rx-7600"),
    (&["7600", "xt"], "rx-7600-xt"),
    (&["7700", "xt"], "rx-7700-xt"),
    (&["7800", "xt"], "rx-7800-xt"),
    (&["7900", "gre"], "rx-7900-gre"),
    (&["7900", "xt"], "rx-7900-xt"),
    (&["7900", "xtx"], "rx-7900-xtx"),
    (&["9060", "xt"], "rx-9060-xt-16gb"),
    (&["9070"], "rx-9070"),
    (&["9070", "xt"], "rx-9070-xt"),
    (&["titan", "rtx"], "titan-rtx"),
    (&["titan", "v"], "titan-v"),
    (&["titan", "xp"], "titan-xp"),
    (&["1060"], "gtx-1060-6gb"),
    (&["1070"], "gtx-1070"),
    (&["1080"], "gtx-1080"),
    (&["1080", "ti"], "gtx-1080-ti"),
    (&["1660", "ti"], "gtx-1660-ti"),
    (&["2060"], "rtx-2060"),
    (&["2060", "super"], "rtx-2060-super"),
    (&["2070"], "rtx-2070"),
    (&["2070", "super"], "rtx-2070-super"),
    (&["2080"], "rtx-2080"),
    (&["2080", "super"], "rtx-2080-super"),
    (&["2080", "ti"], "rtx-2080-ti"),
    (&["3050"], "rtx-3050-8gb"),
    (&["3060"], "rtx-3060-12gb"),
    (&["3060", "ti"], "rtx-3060-ti"),
    (&["3060", "laptop"], "rtx-3060-laptop"),
    (&["3060", "mobile"], "rtx-3060-laptop"),
    (&["3070"], "rtx-3070"),
    (&["3070", "ti"], "rtx-3070-ti"),
    (&["3070", "mobile"], "rtx-3070-mobile"),
    (&["3070", "laptop"], "rtx-3070-mobile"),
    (&["3080"], "rtx-3080-10gb"),
    (&["3080", "12gb"], "rtx-3080-12gb"),
    (&["3080", "ti"], "rtx-3080-ti"),
    (&["3090"], "rtx-3090"),
    (&["3090", "ti"], "rtx-3090-ti"),
    (&["4060"], "rtx-4060"),
    (&["4060", "ti"], "rtx-4060-ti-16gb"),
    (&["4060", "ti", "8gb"], "rtx-4060-ti-8gb"),
    (&["4070"], "rtx-4070"),
    (&["4070", "super"], "rtx-4070-super"),
    (&["4070", "ti"], "rtx-4070-ti"),
    (&["4070", "ti", "super"], "rtx-4070-ti-super"),
    (&["4080"], "rtx-4080"),
    (&["4080", "super"], "rtx-4080-super"),
    (&["4090"], "rtx-4090"),
    (&["4090", "d"], "rtx-4090-d"),
    (&["4090", "laptop"], "rtx-4090-laptop"),
    (&["4090", "mobile"], "rtx-4090-laptop"),
    (&["5060"], "rtx-5060"),
    (&["5060", "ti"], "rtx-5060-ti-16gb"),
    (&["5060", "ti", "8gb"], "rtx-5060-ti-8gb"),
    (&["5070"], "rtx-5070"),
    (&["5070", "ti"], "rtx-5070-ti"),
    (&["5080"], "rtx-5080"),
    (&["5090"], "rtx-5090"),
    (&["5090", "laptop"], "rtx-5090-laptop"),
    (&["5090", "mobile"], "rtx-5090-laptop"),
    (&["m1"], "apple-m1"),
    (&["m1", "7core"], "apple-m1-7c"),
    (&["m1", "pro"], "apple-m1-pro"),
    (&["m1", "pro", "14core"], "apple-m1-pro-14c"),
    (&["m1", "max"], "apple-m1-max"),
    (&["m1", "max", "24core"], "apple-m1-max-24c"),
    (&["m1", "ultra"], "apple-m1-ultra"),
    (&["m1", "ultra", "48core"], "apple-m1-ultra-48c"),
    (&["m2"], "apple-m2"),
    (&["m2", "8core"], "apple-m2-8c"),
    (&["m2", "pro"], "apple-m2-pro"),
    (&["m2", "pro", "16core"], "apple-m2-pro-16c"),
    (&["m2", "max"], "apple-m2-max"),
    (&["m2", "max", "30core"], "apple-m2-max-30c"),
    (&["m2", "ultra"], "apple-m2-ultra-192gb"),
    (&["m2", "ultra", "60core"], "apple-m2-ultra-60c"),
    (&["m3"], "apple-m3"),
    (&["m3", "pro"], "apple-m3-pro"),
    (&["m3", "pro", "14core"], "apple-m3-pro-14c"),
    (&["m3", "max"], "apple-m3-max"),
    (&["m3", "max", "30core"], "apple-m3-max-30c"),
    (&["m3", "ultra"], "apple-m3-ultra-512gb"),
    (&["m3", "ultra", "60core"], "apple-m3-ultra-60c"),
    (&["m4"], "apple-m4"),
    (&["m4", "pro"], "apple-m4-pro"),
    (&["m4", "pro", "16core"], "apple-m4-pro-16c"),
    (&["m4", "max"], "apple-m4-max-128gb"),
    (&["m4", "max", "32core"], "apple-m4-max-32c"),
    (&["m5"], "apple-m5"),
    (&["m5", "pro"], "apple-m5-pro"),
    (&["m5", "max"], "apple-m5-max"),
];

/// Words that say nothing about the architecture: makers of checkpoints, tunings, formats, dates.
const NOISE: &[&str] = &[
    "instruct",
    "chat",
    "hf",
    "it",
    "base",
    "preview",
    "gguf",
    "fp8",
    "fp4",
    "nvfp4",
    "mxfp4",
    "bf16",
    "fp16",
    "int4",
    "int8",
    "awq",
    "gptq",
    "dynamic",
    "dyn",
    "pre",
    "quark",
    "trtllm",
    "quantized",
    "w8a8",
    "w4a16",
    "meta",
    "neuralmagic",
    "kv",
    "bnb",
    "4bit",
    "8bit",
    "f16",
    "q8",
    "q6",
    "q5",
    "q4",
    "q3",
    "q2",
    "k",
    "m",
    "s",
    "l",
    "0",
    "1",
    "v0.1",
    "v0.2",
    "v0.3",
    "v1.0",
    "99",
    "99.9",
    "0528",
    "0324",
    "2507",
    "2503",
    "2407",
    "2409",
    "2501",
    "1t",
    "openorca",
    "turbo",
    "mlx",
    "native",
    "alpha",
];

/// Names whose words do not lead to the row.
const MODELS: &[(&str, &str)] = &[
    ("gptj", "gpt-j-6b"),
    ("llama7b", "llama-1-7b"),
    ("llama13b", "llama-1-13b"),
    ("llama30b", "llama-1-30b"),
    ("llama33b", "llama-1-30b"),
    ("llama65b", "llama-1-65b"),
    ("deepseekv3.1", "deepseek-v3"),
    ("deepseekv3.1terminus", "deepseek-v3"),
    ("dsr1", "deepseek-r1"),
    ("dsv3", "deepseek-v3"),
    ("gptoss", "gpt-oss-120b"),
    ("qwen2.5coder7b", "qwen2.5-7b"),
    ("qwen2.5coder14b", "qwen2.5-14b"),
    ("qwen2.5coder32b", "qwen2.5-32b"),
    ("qwen3coder30ba3b", "qwen3-30b-a3b"),
    ("qwen3coder480ba35b", "qwen3-coder-480b-a35b"),
    ("deepseekr1distillllama8b", "llama-3.1-8b"),
    ("deepseekr1distillllama70b", "llama-3.3-70b"),
    ("deepseekr1distillqwen7b", "qwen2.5-7b"),
    ("deepseekr1distillqwen14b", "qwen2.5-14b"),
    ("deepseekr1distillqwen32b", "qwen2.5-32b"),
    ("deepseekr114b", "qwen2.5-14b"),
    ("deepseekr132b", "qwen2.5-32b"),
    ("deepseekr170b", "llama-3.3-70b"),
    ("deepseekr18b", "llama-3.1-8b"),
    ("deepseekr17b", "qwen2.5-7b"),
    ("kimik2thinking", "kimi-k2"),
    ("glm4.6", "glm-4.5"),
    ("glm4.7", "glm-4.5"),
    ("glm5.1", "glm-5"),
    ("minimaxm2.1", "minimax-m2"),
    ("minimaxm2.5", "minimax-m2"),
    ("deepseekv3.2exp", "deepseek-v3.2"),
    ("mistralsmall3.124b", "mistral-small-24b"),
    ("mistralsmall3.224b", "mistral-small-24b"),
    ("qwen3.635ba3b", "qwen3.5-35b-a3b"),
    ("llama4maverick17b128e", "llama-4-maverick"),
    ("llama4scout17b16e", "llama-4-scout"),
    ("mistral7b", "mistral-7b-v0.3"),
    ("tinyllama1.1b", "tinyllama-1.1b"),
    ("phi3mini", "phi-3-mini-3.8b"),
    ("qwen3235b", "qwen3-235b-a22b"),
    ("nemotron70b", "llama-3.1-nemotron-70b"),
];

impl Catalog {
    /// The accelerator that a name means: its id, its name, or a spelling such as `H100-SXM-80GB`, `h100_sxm`,
    /// `NVIDIA A100-SXM4-80GB`, `4090 24GB`, `AMD Instinct MI300X 192GB HBM3`. `None` if it is unknown or a variant
    /// that the catalogue lacks. A bare `A100` or `H100` means the SXM part with 80 GB.
    #[must_use]
    pub fn gpu_named(&self, name: &str) -> Option<&GpuSpec> {
        let exact = name.trim().to_lowercase();
        if let Some(row) = self.gpus.iter().find(|row| row.id == exact || row.name.to_lowercase() == exact) {
            return Some(row);
        }
        let words = gpu_words(&exact);
        let has = |word: &str| words.iter().any(|w| w == word);
        let mut best: Option<(usize, &str)> = None;
        for (needed, id) in GPUS {
            let all = needed.iter().all(|word| has(word));
            let variants_met = VARIANTS.iter().all(|v| !has(v) || needed.contains(v) || harmless(v, needed));
            if all && variants_met && best.is_none_or(|(count, _)| needed.len() > count) {
                best = Some((needed.len(), id));
            }
        }
        best.and_then(|(_, id)| self.gpus.iter().find(|row| row.id == id))
    }

    /// The model that a name means: its id, its name, its Hugging Face id, or a spelling such as
    /// `meta-llama/Llama-3.1-70B-Instruct-FP8`, `Llama 3 8B Q4_K_M`, `llama2-70b`. `None` if it is unknown.
    #[must_use]
    pub fn model_named(&self, name: &str) -> Option<&ModelSpec> {
        let exact = name.trim().to_lowercase();
        let same = |row: &&ModelSpec| {
            row.id == exact || row.name.to_lowercase() == exact || row.hf_id.to_lowercase() == exact
        };
        if let Some(row) = self.models.iter().find(same) {
            return Some(row);
        }
        let wanted = model_core(name);
        if wanted.is_empty() {
            return None;
        }
        if let Some((_, id)) = MODELS.iter().find(|(core, _)| *core == wanted) {
            return self.models.iter().find(|row| row.id == *id);
        }
        let core_of = |row: &&ModelSpec| {
            [&row.id, &row.name, &row.hf_id].into_iter().any(|text| model_core(text) == wanted)
        };
        self.models.iter().find(core_of)
    }
}

/// A variant word that comes with the plain part: `server` on a data-centre card, `pro` and `max` in a host's name.
fn harmless(variant: &str, needed: &[&str]) -> bool {
    match variant {
        "server" => true,
        "d" => false,
        "workstation" => needed.iter().any(|word| ["ada", "q", "pro"].contains(word)),
        "max" | "pro" => needed.contains(&"395"),
        _ => false,
    }
}

/// The words of an accelerator's name: `8xRTX3090Ti-24G` is `3090`, `ti`, `24gb`.
fn gpu_words(text: &str) -> Vec<String> {
    let text = HOSTS.iter().fold(text.replace("geforce", " "), |text, host| text.replace(host, " "));
    let split = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<String> = split.flat_map(parts).collect();
    // "24-Core GPU", "7 core" and "30 GPU cores" are one word.
    for index in 1..words.len() {
        if words[index] == "core" || words[index] == "cores" {
            let before = if words[index - 1] == "gpu" && index > 1 { index - 2 } else { index - 1 };
            let joined = format!("{}core", words[before]);
            words.push(joined);
        }
    }
    words
}

/// Machines whose names hold words that mean something else on a chip.
const HOSTS: &[&str] = &["macbook pro", "mac pro", "macbook air", "mac studio", "mac mini"];

/// What is written together in one word.
fn parts(word: &str) -> Vec<String> {
    // "8xh100": how many; four digits are a name ("7900xt").
    let word = match word.split_once('x') {
        Some((count, rest)) if !rest.is_empty() && count.len() < 4 && count.parse::<u32>().is_ok() => rest,
        _ => word,
    };
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let starts_with_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    // "rtx4090", "rx7900".
    let word = ["rtx", "gtx", "rx"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix).filter(|rest| starts_with_number(rest)))
        .unwrap_or(word);
    // "sxm4": which generation.
    if let Some(generation) = word.strip_prefix("sxm")
        && is_number(generation)
    {
        return vec!["sxm".to_owned()];
    }
    // "80g": bytes.
    if let Some(size) = word.strip_suffix('g')
        && is_number(size)
    {
        return vec![format!("{size}gb")];
    }
    // "3090ti", "4070tisuper", "m3max", "h100sxm".
    for tail in ["super", "ti", "xtx", "xt", "gre", "d", "max", "ultra", "pro", "sxm", "pcie", "nvl"] {
        if let Some(head) = word.strip_suffix(tail)
            && head.ends_with(|c: char| c.is_ascii_digit() || tail == "super")
            && head.len() >= 2
        {
            let mut words = parts(head);
            words.push(tail.to_owned());
            return words;
        }
    }
    vec![word.to_owned()]
}

/// The words of a model's name that say what it is, joined.
fn model_core(name: &str) -> String {
    // What stands in parentheses is about the file, not the model.
    let last = name
        .trim()
        .split('(')
        .next()
        .unwrap_or_default()
        .trim()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let last = last.strip_suffix(".gguf").unwrap_or(&last).replace("meta-llama", "llama");
    last.split(|c: char| c.is_whitespace() || matches!(c, '-' | '_' | '(' | ')' | ',' | ':'))
        .filter(|word| !word.is_empty() && !NOISE.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_found_by_any_of_its_spellings() {
        let catalog = Catalog::shipped();
        let check = |name: &str, id: Option<&str>| {
            assert_eq!(catalog.gpu_named(name).map(|row| row.id.as_str()), id, "{name}");
        };
        check("H100-SXM-80GB", Some("h100-sxm-80gb"));
        check("h100_sxm", Some("h100-sxm-80gb"));
        check("NVIDIA A100-SXM4-80GB", Some("a100-sxm-80gb"));
        check("NVIDIA H200-SXM-141GB-CTS", Some("h200-sxm-141gb"));
        check("A100 PCIe 40GB", Some("a100-pcie-40gb"));
        check("4090 24GB", Some("rtx-4090"));
        check("NVIDIA GeForce RTX 4090", Some("rtx-4090"));
        check("RTX 3090 Ti", Some("rtx-3090-ti"));
        check("RTX 4090 Laptop", Some("rtx-4090-laptop"));
        check("RTX 4080 Laptop", None);
        check("RTX 4090 D", Some("rtx-4090-d"));
        check("RTX4090D", Some("rtx-4090-d"));
        check("8xH100-80G", Some("h100-sxm-80gb"));
        check("RTX3090Ti", Some("rtx-3090-ti"));
        check("rtx4070tisuper", Some("rtx-4070-ti-super"));
        check("Radeon RX7900XTX", Some("rx-7900-xtx"));
        check("NVIDIA H100 80GB HBM3", Some("h100-sxm-80gb"));
        check("NVIDIA H200 NVL", Some("h200-nvl-141gb"));
        check("NVIDIA GB200 NVL72", Some("gb200-192gb"));
        check("AMD Instinct MI300A", Some("mi300a-128gb"));
        check("RTX 4000 SFF Ada", Some("rtx-4000-sff-ada"));
        check("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", Some("rtx-pro-6000-max-q"));
        check("RTX PRO 4500 Blackwell", Some("rtx-pro-4500"));
        check("MacBook Pro M3 Max (30 GPU cores)", Some("apple-m3-max-30c"));
        check("Apple M3 Ultra 80-core", Some("apple-m3-ultra-512gb"));
        check("M1 Max 10 core 64GB", Some("apple-m1-max"));
        check("Radeon 8060S", Some("strix-halo-128gb"));
        check("Jetson Orin Nano", None);
        check("TITAN V", Some("titan-v"));
        check("RTX 3070 mobile 8GB", Some("rtx-3070-mobile"));
        check("AMD Instinct MI300X-NPS1-SPX-192GB-750W", Some("mi300x-192gb"));
        check("M1 Max 24-Core GPU 32GB", Some("apple-m1-max-24c"));
        check("M1 Ultra 64-Core GPU 128GB", Some("apple-m1-ultra"));
        check("M2 Max 32GB (Metal)", Some("apple-m2-max"));
        check("M2 Max 32GB (CPU)", None);
        check("RTX PRO 6000", Some("rtx-pro-6000-server"));
        check("RTX A6000 48GB", Some("rtx-a6000"));
        check("RTX 6000 Ada 48GB", Some("rtx-6000-ada"));
        check("L40S 48GB", Some("l40s"));
        check("DGX Spark (GB10)", Some("dgx-spark-gb10"));
        check("Ryzen AI 5 340 CPU", None);
        check("abacus 9000", None);
    }

    #[test]
    fn a_model_is_found_by_any_of_its_spellings() {
        let catalog = Catalog::shipped();
        let check = |name: &str, id: Option<&str>| {
            assert_eq!(catalog.model_named(name).map(|row| row.id.as_str()), id, "{name}");
        };
        check("meta-llama/Llama-3.1-70B-Instruct-FP8", Some("llama-3.1-70b"));
        check("Llama 3 8B Q4_K_M", Some("llama-3-8b"));
        check("llama2-70b", Some("llama-2-70b"));
        check("DeepSeek R1 0528", Some("deepseek-r1"));
        check("nvidia/DeepSeek-V3.1-NVFP4", Some("deepseek-v3"));
        check("GPT-J 6B", Some("gpt-j-6b"));
        check("GPT-OSS 120B", Some("gpt-oss-120b"));
        check("Llama 4 Maverick", Some("llama-4-maverick"));
        check("LLaMA 1 30B", Some("llama-1-30b"));
        check("neuralmagic_llama-2-7b-chat-hf-fp8", Some("llama-2-7b"));
        check("Qwen3-Coder-30B-A3B", Some("qwen3-30b-a3b"));
        check("Qwen3.5-35B-A3B", Some("qwen3.5-35b-a3b"));
        check("Mixtral 8x7B", Some("mixtral-8x7b"));
        check("TinyLlama 1.1B", Some("tinyllama-1.1b"));
        check("Llama 9 1T", None);
        check("", None);
    }
}
