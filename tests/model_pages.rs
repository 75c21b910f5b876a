//! The pages *Serving* and *How far to trust this*, driven by role and label.
//!
//! Reading and answers happen on the calling thread, so that nothing depends on the speed of the machine.

use breakeven::app::{App, AppOptions, Setup, Where};
use breakeven::routing::Serves;
use breakeven::scenario::ScenarioDraft;
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

fn window(height: f32) -> Harness<'static, App> {
    let mut harness = Harness::builder().with_size(vec2(1280.0, height)).build_eframe(|creation| {
        let setup = Setup { place: Where::Inline, ..Setup::new(AppOptions::default()) };
        App::new(&creation.egui_ctx, setup)
    });
    harness.run_steps(3);
    harness
}

/// A window tall enough that nothing has to be scrolled to.
fn serving() -> Harness<'static, App> {
    on_page(Key::Num6, "Serving")
}

fn on_page(key: Key, name: &str) -> Harness<'static, App> {
    let mut harness = window(1700.0);
    harness.key_press_modifiers(Modifiers::COMMAND, key);
    harness.run_steps(4);
    assert_eq!(harness.state().page().text(), name);
    harness
}

fn click(harness: &mut Harness<'_, App>, label: &str) {
    harness.get_by_role_and_label(Role::Button, label).click();
    harness.run_steps(4);
}

fn type_into(harness: &mut Harness<'_, App>, label: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    harness.run_steps(2);
    harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
    harness.run_steps(3);
}

/// The sentence that the page begins with.
fn sentence(harness: &Harness<'_, App>) -> String {
    let found = harness.query_all_by_label_contains("Llama-3.3-70B in").next().expect("a sentence");
    found.value().or_else(|| found.accesskit_node().label()).unwrap_or_default()
}

fn deployments(draft: &ScenarioDraft) -> Vec<(String, String, u32)> {
    let endpoints = draft.plans.iter().flat_map(|plan| &plan.endpoints);
    endpoints
        .filter_map(|endpoint| match &endpoint.serves {
            Serves::SelfHosted(own) => {
                let d = &own.deployment;
                Some((d.model.clone(), d.gpu.clone(), d.gpus_per_replica))
            }
            Serves::Api(_) => None,
        })
        .collect()
}

#[test]
fn the_page_answers_at_once_and_names_what_limits_it() {
    let harness = serving();
    let text = sentence(&harness);
    for part in ["serves", "tokens/s", "users", "per million output tokens", "limited by"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    for plot in ["Throughput over the number of users", "Latency over the number of users", "Roofline"] {
        assert!(harness.query_all_by_label(plot).next().is_some(), "{plot}");
    }
}

#[test]
fn a_model_that_does_not_fit_says_so_by_how_much_and_what_would_do() {
    let mut harness = serving();
    click(&mut harness, "Half the GPUs");
    click(&mut harness, "Half the GPUs");
    harness.get_by_role_and_label(Role::ComboBox, "Weights").click();
    harness.run_steps(3);
    harness.get_by_label("As published (BF16)").click();
    harness.run_steps(4);
    assert!(harness.query_by_label_contains("too much for 1 × H100").is_some());
    assert!(harness.query_by_label_contains("Does not fit by").is_some());
    assert!(sentence(&harness).contains("does not fit"), "{}", sentence(&harness));
    click(&mut harness, "Use 2 × H100 SXM 80GB");
    assert!(harness.query_by_label_contains("too much for").is_none());
    assert!(sentence(&harness).contains("on 2 ×"), "{}", sentence(&harness));
}

#[test]
fn a_split_that_does_not_divide_the_heads_is_said_and_mended() {
    let mut harness = serving();
    harness.get_by_role_and_label(Role::SpinButton, "GPUs of a replica").set_value_accesskit(5.0);
    harness.run_steps(4);
    assert!(harness.query_all_by_label_contains("does not divide").next().is_some());
    click(&mut harness, "Split over 4 GPUs");
    assert!(sentence(&harness).contains("on 4 ×"), "{}", sentence(&harness));
}

#[test]
fn dragging_the_users_changes_the_figures_and_one_click_goes_back() {
    let mut harness = serving();
    let before = sentence(&harness);
    let slider = harness.get_by_role_and_label(Role::Slider, "Users at once").rect();
    harness.drag_at(slider.center());
    harness.run_steps(2);
    harness.drop_at(pos2(slider.left() + 0.2 * slider.width(), slider.center().y));
    harness.run_steps(4);
    let after = sentence(&harness);
    assert_ne!(before, after);
    assert!(after.contains("would be the most"), "{after}");
    click(&mut harness, "Most within the targets");
    assert_eq!(sentence(&harness), before);
}

#[test]
fn every_figure_opens_to_its_formula() {
    let mut harness = serving();
    for (figure, part) in [
        ("Why Replica, tokens/s", "calls/s ×"),
        ("Why First token after", "fixed part of the engine"),
        ("Why Then a token every", "running sequences"),
        ("Why Million output tokens", "GPUs /"),
        ("Why Users within targets", "limited by"),
    ] {
        click(&mut harness, figure);
        assert!(harness.query_all_by_label_contains(part).next().is_some(), "{figure}: {part}");
    }
}

#[test]
fn use_in_plan_changes_the_draft_and_undo_takes_it_back() {
    let mut harness = serving();
    let before = deployments(harness.state().draft());
    assert!(!before.is_empty(), "the worked example has own GPUs");
    click(&mut harness, "Use in plan");
    let after = deployments(harness.state().draft());
    let written = ("llama-3.3-70b".to_owned(), "h100-sxm-80gb".to_owned(), 4);
    assert!(after.contains(&written), "{after:?}");
    assert!(harness.query_by_label_contains("Written to").is_some());
    click(&mut harness, "Undo");
    assert_eq!(deployments(harness.state().draft()), before);
}

#[test]
fn a_configuration_that_is_unknown_is_said_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, r#"{"model_type": "perceptron"}"#).unwrap();
    let mut harness = serving();
    type_into(&mut harness, "Path of a config.json", &path.display().to_string());
    click(&mut harness, "Read the config.json");
    assert!(harness.query_all_by_label_contains("perceptron").next().is_some());
    assert!(sentence(&harness).contains("serves"), "the last model stays");
}

#[test]
fn the_errors_of_the_shipped_constants_are_always_there() {
    let harness = on_page(Key::Num7, "How far to trust this");
    assert!(harness.query_all_by_label_contains("had not seen").next().is_some());
    for held in &breakeven::serving::Calibration::shipped().held_out {
        assert!(harness.query_all_by_label(&held.regime).next().is_some(), "{}", held.regime);
    }
}

#[test]
fn a_folder_of_measurements_is_compared_row_by_row_and_what_is_left_out_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let table = "engine,model,quant,gpu,n_gpus,test,phase,batch,depth,tok_s,weights_gb,note,source\n\
                 llama.cpp,Llama 3 8B,Q4_K_M,RTX 4090,1,tg512,decode,1,0,120,4.58,,made up\n\
                 llama.cpp,Llama 3 8B,F16,RTX 4090,1,tg512,decode,1,0,52,14.96,,made up\n\
                 llama.cpp,Nobody 9B,F16,RTX 4090,1,tg512,decode,1,0,52,14.96,,made up\n";
    std::fs::write(folder.path().join("local.csv"), table).unwrap();
    let mut harness = on_page(Key::Num7, "How far to trust this");
    type_into(&mut harness, "Folder of measured tables", &folder.path().display().to_string());
    click(&mut harness, "Compare");
    assert!(harness.query_all_by_label_contains("2 of 3 published rows are predicted").next().is_some());
    assert!(harness.query_all_by_label("Predicted against published").next().is_some());
    assert!(harness.query_all_by_label_contains("1 row could not be predicted").next().is_some());
    click(&mut harness, "By GPU");
    assert!(harness.query_all_by_label_contains("4090").next().is_some());
}

#[test]
fn a_folder_without_measurements_is_said_and_the_shipped_errors_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = on_page(Key::Num7, "How far to trust this");
    type_into(&mut harness, "Folder of measured tables", &folder.path().display().to_string());
    click(&mut harness, "Compare");
    assert!(harness.query_all_by_label_contains("no table of serving measurements").next().is_some());
    assert!(harness.query_all_by_label_contains("had not seen").next().is_some());
}

#[test]
fn recorded_runs_are_laid_over_their_replay_with_the_bars_marked() {
    let folder = tempfile::tempdir().unwrap();
    let meta = r#"{"model": "meta-llama/Llama-3.1-8B", "hardware": {"device_name": "NVIDIA H100 80GB HBM3"},
        "engine_kwargs": {"max_num_seqs": 64, "dtype": "bfloat16"}}"#;
    std::fs::write(folder.path().join("made-up_meta.json"), meta).unwrap();
    // A server that is far slower than any H100: the page has to say so.
    let requests: String = (0..40)
        .map(|at| {
            let (first, last) = (at + 5, at + 65);
            format!(
                "{{\"input_toks\": 300, \"output_toks\": 60, \"queued_ts\": {at}, \"first_token_ts\": {first}, \"last_token_ts\": {last}}}\n"
            )
        })
        .collect();
    std::fs::write(folder.path().join("made-up_requests.jsonl"), requests + "garbage\n").unwrap();
    let mut harness = on_page(Key::Num7, "How far to trust this");
    type_into(&mut harness, "Folder of measured tables", &folder.path().display().to_string());
    click(&mut harness, "Compare");
    let shown = |harness: &Harness<'static, App>, text: &str| {
        assert!(harness.query_all_by_label_contains(text).next().is_some(), "{text}");
    };
    shown(&harness, "1 run of a real engine, replayed: 0 of 3 means are within 10 %");
    for picture in ["Time to first token", "Time per output token", "Time to the whole answer"] {
        shown(&harness, &format!("{picture} over seconds"));
    }
    shown(&harness, "Output tokens per second over hours");
    shown(&harness, "beyond the bar");
    shown(&harness, "line 41");
}

fn size_page() -> Harness<'static, App> {
    let mut harness = on_page(Key::J, "Size");
    harness.run_steps(4);
    harness
}

#[test]
fn the_best_deployment_is_found_by_objective_and_written_to_a_plan_that_undo_takes_back() {
    let mut harness = size_page();
    let found = harness.query_all_by_label_contains("calls a second at the peak").next();
    assert!(found.is_some(), "a sentence with the choice");
    let before = deployments(harness.state().draft());
    click(&mut harness, "latency");
    click(&mut harness, "Use this choice");
    let after = deployments(harness.state().draft());
    assert_ne!(before, after, "the choice reached the plan");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(4);
    assert_eq!(deployments(harness.state().draft()), before);
}

#[test]
fn a_cell_of_the_heat_map_is_looked_at_when_clicked() {
    let mut harness = size_page();
    let label = {
        let cell = harness.query_all_by_label_contains("a month").find(|node| {
            let label = node.accesskit_node().label().unwrap_or_default();
            node.accesskit_node().role() == Role::Button && label.starts_with("8 of")
        });
        cell.and_then(|node| node.accesskit_node().label()).expect("a cell of the map")
    };
    click(&mut harness, &label);
    let name = label.trim_start_matches("8 of ").split(':').next().unwrap_or_default().to_owned();
    let sentence =
        harness.query_all_by_label_contains("calls a second at the peak").next().expect("a sentence");
    let text = sentence.value().or_else(|| sentence.accesskit_node().label()).unwrap_or_default();
    assert!(text.contains(&format!("of 8 × {name}")), "{label}: {text}");
}

#[test]
fn targets_that_nothing_keeps_are_said_and_taken_back() {
    let mut harness = size_page();
    harness.get_by_role_and_label(Role::SpinButton, "Each token within").set_value_accesskit(1e-5);
    harness.run_steps(6);
    assert!(harness.query_all_by_label_contains("keeps the targets").next().is_some());
    click(&mut harness, "Targets of the use cases");
    harness.run_steps(4);
    assert!(harness.query_all_by_label_contains("calls a second at the peak").next().is_some());
}

#[test]
fn the_engines_memory_and_sequences_change_the_answer() {
    let mut harness = serving();
    let before = sentence(&harness);
    harness.get_by_role_and_label(Role::SpinButton, "Sequences at once").set_value_accesskit(8.0);
    harness.run_steps(6);
    assert_ne!(sentence(&harness), before, "eight sequences at once serve fewer users");
}
