//! Which facts are used and where they come from: models, GPUs, prices and cloud rates, to be searched.

use eframe::egui::{Align, Button, Label, Layout, RichText, TextEdit, Ui, vec2};
use egui_extras::{Column, TableBuilder};

use crate::app::theme::{self, Theme, space};
use crate::app::view::{Session, View};
use crate::app::widgets::sentence;
use crate::catalog::{Catalog, CloudRate, GpuSpec, ModelSpec, PriceSheet, ServiceTier, Source};
use crate::unit::format;

/// Which table is shown.
#[derive(Clone, Copy, PartialEq)]
enum Tab {
    Prices,
    Models,
    Gpus,
    Rates,
}

const TABS: [(Tab, &str); 4] = [
    (Tab::Prices, "API prices"),
    (Tab::Models, "Open models"),
    (Tab::Gpus, "GPUs"),
    (Tab::Rates, "Cloud rates"),
];

/// A row as text: one cell per column, its source last.
struct Row<'a> {
    cells: Vec<String>,
    notes: &'a str,
    source: &'a Source,
}

/// A table: its columns with the least width of each, and what makes a row.
struct Table<'a, T> {
    columns: &'a [(&'a str, f32)],
    items: &'a [T],
    row: fn(&T) -> Row<'_>,
    words: fn(&T) -> String,
}

/// Draws the page.
pub fn ui(ui: &mut Ui, session: &mut Session, view: &View<'_>) {
    let catalog = view.catalog;
    sentence(ui, &answer(catalog));
    ui.add_space(space::S);
    let picked = session.picks.get("catalogue").map_or("", String::as_str);
    let mut tab = TABS.into_iter().find(|(_, name)| *name == picked).map_or(Tab::Prices, |(tab, _)| tab);
    let search = session.texts.entry("catalogue".to_owned()).or_default();
    ui.horizontal_wrapped(|ui| {
        for (option, name) in TABS {
            if ui.add(Button::selectable(tab == option, name).min_size(vec2(90.0, 26.0))).clicked() {
                tab = option;
            }
        }
        let field =
            ui.add(TextEdit::singleline(search).hint_text("Search name, maker, id…").desired_width(240.0));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Search the catalogue"));
    });
    ui.add_space(space::S);
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    match tab {
        Tab::Prices => table_ui(ui, &words, &PRICES(catalog)),
        Tab::Models => table_ui(ui, &words, &MODELS(catalog)),
        Tab::Gpus => table_ui(ui, &words, &GPUS(catalog)),
        Tab::Rates => table_ui(ui, &words, &RATES(catalog)),
    }
    let name = TABS.iter().find(|(option, _)| *option == tab).map_or("", |(_, name)| name);
    session.picks.insert("catalogue".to_owned(), name.to_owned());
}

fn answer(catalog: &Catalog) -> String {
    let read = catalog.prices_as_of().map_or_else(String::new, |date| format!("; prices read up to {date}"));
    format!(
        "{} API models, {} open models, {} GPUs and {} cloud rates, each with its source{read}.",
        catalog.prices.len(),
        catalog.models.len(),
        catalog.gpus.len(),
        catalog.rates.len()
    )
}

const PRICES: fn(&Catalog) -> Table<'_, PriceSheet> = |catalog| Table {
    columns: &[
        ("Model", 170.0),
        ("Provider", 90.0),
        ("Input /Mtok", 74.0),
        ("Cached", 66.0),
        ("Output /Mtok", 80.0),
        ("Batch output", 80.0),
    ],
    items: &catalog.prices,
    row: |sheet| {
        let row = sheet.rows.last();
        let usd = |rate: Option<crate::unit::UsdPerMtok>| {
            rate.map_or_else(|| format::NO_NUMBER.to_owned(), |usd| format::usd_per_mtok(usd.get()))
        };
        let standard = row.map(|row| row.rates(ServiceTier::Standard, false));
        let batch =
            row.filter(|row| row.offers(ServiceTier::Batch)).map(|row| row.rates(ServiceTier::Batch, false));
        Row {
            cells: vec![
                sheet.name.clone(),
                sheet.provider.clone(),
                usd(standard.as_ref().and_then(|rates| rates.input)),
                usd(row.and_then(|row| row.standard.cached_read_usd_per_mtok).map(crate::unit::UsdPerMtok)),
                usd(standard.as_ref().and_then(|rates| rates.output)),
                usd(batch.and_then(|rates| rates.output)),
            ],
            notes: &sheet.notes,
            source: &sheet.source,
        }
    },
    words: |sheet| format!("{} {} {} {}", sheet.id, sheet.name, sheet.provider, sheet.api_name),
};

const MODELS: fn(&Catalog) -> Table<'_, ModelSpec> = |catalog| Table {
    columns: &[
        ("Model", 170.0),
        ("Parameters", 80.0),
        ("Active", 70.0),
        ("Layers", 56.0),
        ("KV per token, BF16", 110.0),
        ("Context", 80.0),
    ],
    items: &catalog.models,
    row: |model| Row {
        cells: vec![
            model.name.clone(),
            format::short(model.total_params),
            format::short(model.active_params),
            model.layers.to_string(),
            format::bytes(model.kv_bytes_per_token(2.0)),
            format::count(f64::from(model.context_max)),
        ],
        notes: &model.notes,
        source: &model.source,
    },
    words: |model| format!("{} {} {} {}", model.id, model.name, model.hf_id, model.family),
};

const GPUS: fn(&Catalog) -> Table<'_, GpuSpec> = |catalog| Table {
    columns: &[
        ("GPU", 170.0),
        ("Maker", 80.0),
        ("Class", 90.0),
        ("Memory", 70.0),
        ("Bandwidth", 90.0),
        ("BF16, dense", 110.0),
    ],
    items: &catalog.gpus,
    row: |gpu| Row {
        cells: vec![
            gpu.name.clone(),
            gpu.vendor.clone(),
            gpu.class.label().to_owned(),
            format::bytes(gpu.memory_bytes),
            format!("{}/s", format::bytes(gpu.bandwidth_bytes_per_s)),
            format::flops_per_sec(gpu.bf16_flops_dense),
        ],
        notes: &gpu.notes,
        source: &gpu.source,
    },
    words: |gpu| format!("{} {} {} {}", gpu.id, gpu.name, gpu.vendor, gpu.class.label()),
};

const RATES: fn(&Catalog) -> Table<'_, CloudRate> = |catalog| Table {
    columns: &[
        ("Provider", 110.0),
        ("GPU", 120.0),
        ("Region", 90.0),
        ("On demand /h", 84.0),
        ("1 year /h", 70.0),
        ("3 years /h", 70.0),
        ("Spot /h", 66.0),
    ],
    items: &catalog.rates,
    row: |rate| {
        let usd = |rate: Option<f64>| rate.map_or_else(|| format::NO_NUMBER.to_owned(), format::usd);
        Row {
            cells: vec![
                rate.provider.clone(),
                rate.gpu.clone(),
                rate.region.clone(),
                usd(rate.on_demand_usd_per_gpu_hour),
                usd(rate.reserved_1y_usd_per_gpu_hour),
                usd(rate.reserved_3y_usd_per_gpu_hour),
                usd(rate.spot_usd_per_gpu_hour),
            ],
            notes: &rate.notes,
            source: &rate.source,
        }
    },
    words: |rate| format!("{} {} {} {} {}", rate.id, rate.provider, rate.region, rate.gpu, rate.instance),
};

/// Only the rows that are seen are made.
fn table_ui<T>(ui: &mut Ui, words: &[String], table: &Table<'_, T>) {
    let theme = Theme::of(ui.ctx());
    let matches = |item: &&T| {
        let text = (table.words)(item).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let found: Vec<&T> = table.items.iter().filter(matches).collect();
    if found.is_empty() {
        ui.label(RichText::new("Nothing here has all of these words.").color(theme.text_weak));
        return;
    }
    let mut builder = TableBuilder::new(ui)
        .id_salt(table.columns[0].0)
        .striped(true)
        .auto_shrink(false)
        .cell_layout(Layout::left_to_right(Align::Center));
    for (index, (_, least)) in table.columns.iter().enumerate() {
        let column = Column::initial(if index == 0 { 1.4 * *least } else { 1.15 * *least });
        builder = builder.column(column.at_least(*least).clip(true));
    }
    builder
        .column(Column::remainder().at_least(120.0).clip(true))
        .header(24.0, |mut header| {
            for name in table.columns.iter().map(|column| column.0).chain(["Source and day read"]) {
                header.col(|ui| {
                    ui.add(Label::new(RichText::new(name).small().color(theme.text_weak)).truncate());
                });
            }
        })
        .body(|body| {
            body.rows(25.0, found.len(), |mut line| {
                let Some(item) = found.get(line.index()) else { return };
                let row = (table.row)(item);
                for (index, cell) in row.cells.iter().enumerate() {
                    line.col(|ui| {
                        let text = if index == 0 { theme::figure_text(cell) } else { RichText::new(cell) };
                        let label = ui.add(Label::new(text).truncate());
                        if !row.notes.is_empty() {
                            label.on_hover_text(row.notes);
                        }
                    });
                }
                line.col(|ui| source_ui(ui, row.source, &theme));
            });
        });
}

fn source_ui(ui: &mut Ui, source: &Source, theme: &Theme) {
    let text = RichText::new(format!("{} {}", source.read, source.citation)).small().color(theme.text_weak);
    match &source.url {
        Some(url) => {
            // The link shows its address itself when hovered.
            ui.add(eframe::egui::Hyperlink::from_label_and_url(text, url));
        }
        None => {
            ui.add(Label::new(text).truncate()).on_hover_text(&source.citation);
        }
    }
}
