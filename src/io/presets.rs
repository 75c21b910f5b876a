//! The scenarios that ship with the program: worked examples to start from.

use thiserror::Error;

use crate::scenario::ScenarioDraft;

use super::scenario::{ScenarioFileError, parse};

/// Id of the scenario that the program opens with.
pub const DEFAULT: &str = "customer-support-chatbot";

/// A scenario that ships with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScenarioPreset {
    /// Stable name, that of its file.
    pub id: &'static str,
    /// Name for people, that of the scenario.
    pub title: &'static str,
    /// What it is about, in a sentence.
    pub summary: &'static str,
    /// Its file.
    pub text: &'static str,
}

/// Why a preset could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PresetError {
    /// There is no such preset.
    #[error("there is no preset \"{id}\"; the presets are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        id: String,
        /// The ids that there are.
        known: Vec<&'static str>,
    },
    /// The shipped file is broken: a fault of the program.
    #[error(transparent)]
    Broken(#[from] ScenarioFileError),
}

/// The shipped scenarios, in order of display.
#[must_use]
pub const fn scenarios() -> &'static [ScenarioPreset] {
    SCENARIOS
}

/// The draft of a preset.
///
/// # Errors
/// [`PresetError::Unknown`] names the presets that there are.
pub fn load(id: &str) -> Result<ScenarioDraft, PresetError> {
    let known = || SCENARIOS.iter().map(|preset| preset.id).collect();
    let preset = SCENARIOS
        .iter()
        .find(|preset| preset.id == id)
        .ok_or_else(|| PresetError::Unknown { id: id.to_owned(), known: known() })?;
    Ok(parse(preset.text, &format!("preset:{id}"))?)
}

const SCENARIOS: &[ScenarioPreset] = &[
    ScenarioPreset {
        id: DEFAULT,
        title: "Customer support chatbot at scale",
        summary: "100,000 customer conversations a day at a financial services company, everyday questions and advice.",
        text: include_str!("../../presets/scenarios/customer-support-chatbot.ron"),
    },
    ScenarioPreset {
        id: "ecommerce-product-descriptions",
        title: "E-commerce product descriptions",
        summary: "Millions of products, simple and technical, described at night: tiers by category, cache, batch, spot GPUs.",
        text: include_str!("../../presets/scenarios/ecommerce-product-descriptions.ron"),
    },
    ScenarioPreset {
        id: "code-review-assistant",
        title: "Code review assistant for 500 engineers",
        summary: "Style, logic and security reviews in agent loops: a model for each kind, and what the prompt cache is worth.",
        text: include_str!("../../presets/scenarios/code-review-assistant.ron"),
    },
    ScenarioPreset {
        id: "legal-document-analysis",
        title: "Legal document analysis",
        summary: "8,000 confidential contracts a day that must stay on own machines in the EU.",
        text: include_str!("../../presets/scenarios/legal-document-analysis.ron"),
    },
    ScenarioPreset {
        id: "content-moderation",
        title: "Content moderation at social media scale",
        summary: "Eight million posts a day within 100 ms: cache, screening, escalation of doubts.",
        text: include_str!("../../presets/scenarios/content-moderation.ron"),
    },
    ScenarioPreset {
        id: "enterprise-knowledge-base",
        title: "Enterprise knowledge base Q&A",
        summary: "50,000 employees ask the company's documents: answer caches, tiers, retrieval.",
        text: include_str!("../../presets/scenarios/enterprise-knowledge-base.ron"),
    },
    ScenarioPreset {
        id: "startup-mvp",
        title: "Startup MVP with uncertain scale",
        summary: "A writing assistant that may have a hundred users or a hundred thousand: what not knowing costs.",
        text: include_str!("../../presets/scenarios/startup-mvp.ron"),
    },
    ScenarioPreset {
        id: "clinical-decision-support",
        title: "Clinical decision support",
        summary: "A hospital group that keeps patient data on its own machines: what the rule costs.",
        text: include_str!("../../presets/scenarios/clinical-decision-support.ron"),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::io::scenario::to_text;

    #[test]
    fn every_preset_is_read_round_trips_and_bears_its_title() {
        for preset in scenarios() {
            let draft = load(preset.id).unwrap();
            assert_eq!(draft.name, preset.title);
            assert_eq!(parse(&to_text(&draft), preset.id).unwrap(), draft);
            assert!(preset.summary.ends_with('.'));
            assert!(draft.plans.len() >= 2 && !draft.notes.is_empty(), "{}", preset.id);
        }
    }

    #[test]
    fn every_file_in_the_folder_ships_under_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/scenarios");
        let names =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<String> = names.collect();
        let shipped: BTreeSet<String> =
            scenarios().iter().map(|preset| format!("{}.ron", preset.id)).collect();
        assert_eq!(files, shipped);
        assert!(load(DEFAULT).is_ok());
    }

    #[test]
    fn an_unknown_preset_names_those_that_there_are() {
        assert!(load("chatbot").unwrap_err().to_string().contains(DEFAULT));
    }
}
