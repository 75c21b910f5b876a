//! Laws of the shipped rows: what we ship cannot rot.

use std::collections::HashSet;

use jiff::civil::date;

use super::{Catalog, GpuClass, PriceMode, PriceRow, PriceSheet, ServiceTier, TokenRates};

fn shipped() -> &'static Catalog {
    Catalog::shipped()
}

fn live_sheets() -> impl Iterator<Item = &'static PriceSheet> {
    shipped().prices.iter().filter(|sheet| !sheet.id.starts_with("ref-"))
}

/// Every set of rates of a row, with its tier's name; long prompts included.
fn all_rates(row: &PriceRow) -> Vec<(&'static str, &TokenRates)> {
    let long = row.long_context.as_ref();
    let sets = [
        ("standard", Some(&row.standard)),
        ("batch", row.batch.as_ref()),
        ("flex", row.flex.as_ref()),
        ("priority", row.priority.as_ref()),
        ("long standard", long.map(|long| &long.standard)),
        ("long batch", long.and_then(|long| long.batch.as_ref())),
        ("long flex", long.and_then(|long| long.flex.as_ref())),
        ("long priority", long.and_then(|long| long.priority.as_ref())),
    ];
    sets.into_iter().filter_map(|(name, rates)| Some((name, rates?))).collect()
}

#[test]
fn there_are_as_many_rows_as_the_catalogue_promises() {
    assert!(live_sheets().count() >= 60);
    assert!(shipped().gpus.len() >= 25);
    assert!(shipped().models.len() >= 40);
    assert!(shipped().rates.len() >= 100);
    for class in GpuClass::ALL {
        assert!(shipped().gpus.iter().any(|gpu| gpu.class == *class), "{}", class.label());
    }
    for provider in
        ["OpenAI", "Anthropic", "Google", "Mistral", "DeepSeek", "xAI", "Amazon Bedrock", "Together AI"]
    {
        assert!(live_sheets().any(|sheet| sheet.provider == provider), "{provider}");
    }
    assert!(live_sheets().filter(|sheet| sheet.mode == PriceMode::Embedding).count() >= 5);
}

#[test]
fn every_row_has_a_source_that_was_read_before_today() {
    let catalog = shipped();
    let sources = (catalog.gpus.iter().map(|row| (&row.id, &row.source)))
        .chain(catalog.models.iter().map(|row| (&row.id, &row.source)))
        .chain(catalog.prices.iter().map(|row| (&row.id, &row.source)))
        .chain(catalog.rates.iter().map(|row| (&row.id, &row.source)));
    for (id, source) in sources {
        assert!(source.citation.len() > 1, "{id}");
        assert!(source.read >= date(2026, 1, 1) && source.read <= date(2026, 11, 30), "{id}");
        assert!(source.url.as_ref().is_none_or(|url| url.starts_with("https://")), "{id}");
    }
    assert_eq!(catalog.prices_as_of(), Some(date(2026, 11, 12)));
}

#[test]
fn ids_are_plain_text_that_a_command_line_can_carry() {
    let catalog = shipped();
    let ids = catalog.gpus.iter().map(|row| &row.id).chain(catalog.models.iter().map(|row| &row.id));
    for id in ids.chain(catalog.prices.iter().map(|row| &row.id)) {
        let plain =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
        assert!(id.chars().all(plain), "{id}");
    }
}

#[test]
fn narrower_formats_are_never_slower_and_no_rate_is_the_sparse_one() {
    for gpu in &shipped().gpus {
        // A dense data-sheet figure at most doubles with each halving of the width; sparse ones would quadruple it.
        if let Some(fp8) = gpu.fp8_flops_dense {
            assert!((1.0..=2.03).contains(&(fp8 / gpu.bf16_flops_dense)), "{}", gpu.id);
        }
        if let (Some(fp4), Some(fp8)) = (gpu.fp4_flops_dense, gpu.fp8_flops_dense) {
            // Blackwell Ultra trades other units for FP4: three times FP8. GeForce halves FP8 with 32-bit sums.
            let most = if gpu.class == GpuClass::Consumer { 4.01 } else { 3.12 };
            assert!((1.99..=most).contains(&(fp4 / fp8)), "{}", gpu.id);
        }
    }
    assert_eq!(shipped().gpu("l40s").unwrap().fp8_flops_dense, Some(733e12));
    assert_eq!(shipped().gpu("gh200-96gb").unwrap().bf16_flops_dense, 989e12);
    assert_eq!(shipped().gpu("mi300x-192gb").unwrap().bf16_flops_dense, 1307e12);
    assert!(shipped().gpu("b300-sxm-288gb").unwrap().int8_ops_dense.unwrap() < 200e12);
}

#[test]
fn lanes_do_a_small_part_of_what_matrix_units_do() {
    for gpu in &shipped().gpus {
        let times = gpu.bf16_flops_dense / gpu.vector_ops();
        assert!((1.8..=150.0).contains(&times), "{}: {times}", gpu.id);
    }
    // 108 multiprocessors of 64 lanes at 1.41 GHz, and 128 of the same at 2.52 GHz.
    let lanes = |id: &str| shipped().gpu(id).unwrap().vector_ops();
    assert!((lanes("a100-sxm-80gb") / 9.746e12 - 1.0).abs() < 1e-3);
    assert!((lanes("rtx-4090") / 20.64e12 - 1.0).abs() < 1e-3);
}

#[test]
fn accelerators_lie_within_the_physics_of_their_time() {
    for gpu in &shipped().gpus {
        assert!((4e9..700e9).contains(&gpu.memory_bytes), "{}", gpu.id);
        assert!((60e9..10e12).contains(&gpu.bandwidth_bytes_per_s), "{}", gpu.id);
        assert!(gpu.tdp_watts.is_none_or(|watts| (50.0..=1500.0).contains(&watts)), "{}", gpu.id);
        for field in &gpu.unverified {
            assert!(format!("{gpu:?}").contains(&format!("{field}: ")), "{}: no field {field}", gpu.id);
        }
    }
}

#[test]
fn weights_of_a_model_follow_from_its_architecture() {
    for model in &shipped().models {
        let hidden = f64::from(model.hidden);
        let embedding = f64::from(model.vocab) * hidden;
        // Attention and feed-forward of every layer, at the least one square matrix each, plus one embedding.
        assert!(model.total_params > embedding, "{}", model.id);
        assert!(model.total_params < 1.2e12 && model.active_params > 1e8, "{}", model.id);
        assert_eq!(model.moe.is_some(), model.active_params < 0.5 * model.total_params, "{}", model.id);
        assert!(model.heads % model.kv_heads == 0, "{}", model.id);
    }
}

#[test]
fn a_dense_llama_has_the_parameters_that_its_matrices_add_up_to() {
    // Llama 3 8B: embeddings 2 * 128256 * 4096; a layer has q, o: 4096^2, k, v: 4096 * 1024, three of 4096 * 14336.
    let layer = 2.0 * 4096.0 * 4096.0 + 2.0 * 4096.0 * 1024.0 + 3.0 * 4096.0 * 14_336.0;
    let total = 2.0 * 128_256.0 * 4096.0 + 32.0 * layer;
    let model = shipped().model("llama-3-8b").unwrap();
    assert!((model.total_params / total - 1.0).abs() < 1e-3, "{total}");
    assert!((model.active_params / (total - 128_256.0 * 4096.0) - 1.0).abs() < 1e-3);
}

#[test]
fn every_sheet_has_a_price_and_cached_reads_are_no_dearer_than_input() {
    for sheet in &shipped().prices {
        for (tier, rates) in sheet.rows.iter().flat_map(all_rates) {
            let at = format!("{} {tier}", sheet.id);
            let input = rates.input_usd_per_mtok.unwrap_or_else(|| panic!("{at}: no input"));
            assert!(input <= 100.0, "{at}: {input} looks like another unit");
            assert!(rates.cached_read_usd_per_mtok.is_none_or(|read| read <= input), "{at}");
            let writes = [rates.cache_write_1h_usd_per_mtok, rates.cache_write_12h_usd_per_mtok];
            for write in writes.into_iter().flatten() {
                assert!(Some(write) > rates.cache_write_usd_per_mtok, "{at}: longer lives cost more");
            }
            if sheet.mode == PriceMode::Chat {
                let output = rates.output_usd_per_mtok.unwrap_or_else(|| panic!("{at}: no output"));
                assert!(output >= input, "{at}");
            }
        }
    }
}

#[test]
fn slow_tiers_are_cheaper_fast_tiers_and_long_prompts_dearer() {
    for sheet in &shipped().prices {
        for row in &sheet.rows {
            let standard = row.rates(ServiceTier::Standard, false).input;
            for tier in [ServiceTier::Batch, ServiceTier::Flex].into_iter().filter(|tier| row.offers(*tier)) {
                assert!(row.rates(tier, false).input < standard, "{}", sheet.id);
            }
            if row.offers(ServiceTier::Priority) {
                assert!(row.rates(ServiceTier::Priority, false).input > standard, "{}", sheet.id);
            }
            if row.long_context.is_some() {
                assert!(row.rates(ServiceTier::Standard, true).input > standard, "{}", sheet.id);
            }
            assert!(row.region_uplift.is_none_or(|factor| (1.0..1.5).contains(&factor)), "{}", sheet.id);
        }
    }
}

#[test]
fn every_sheet_is_priced_on_the_day_it_was_read() {
    for sheet in &shipped().prices {
        assert!(sheet.row_on(sheet.source.read).is_some(), "{}", sheet.id);
    }
}

#[test]
fn every_cloud_rate_has_a_price_and_longer_terms_cost_less() {
    for rate in &shipped().rates {
        assert!(shipped().gpu(&rate.gpu).is_ok(), "{}", rate.id);
        let on_demand = rate.on_demand_usd_per_gpu_hour;
        assert!(on_demand.or(rate.spot_usd_per_gpu_hour).is_some(), "{}", rate.id);
        assert!(on_demand.is_none_or(|price| (0.1..25.0).contains(&price)), "{}", rate.id);
        for cheaper in
            [rate.reserved_1y_usd_per_gpu_hour, rate.reserved_3y_usd_per_gpu_hour, rate.spot_usd_per_gpu_hour]
        {
            let most = on_demand.unwrap_or(25.0) * 1.001; // rounding of the quotient by GPUs
            assert!(cheaper.is_none_or(|price| price > 0.0 && price <= most), "{}", rate.id);
        }
        if let (Some(one), Some(three)) =
            (rate.reserved_1y_usd_per_gpu_hour, rate.reserved_3y_usd_per_gpu_hour)
        {
            assert!(three < one, "{}", rate.id);
        }
        assert_eq!(rate.id, format!("{}/{}/{}", rate.provider, rate.instance, rate.region));
    }
}

#[test]
fn the_references_own_prices_are_there_as_printed() {
    let expected = [
        ("ref-gpt-4-turbo", 10.0, 30.0),
        ("ref-gpt-3.5-turbo", 0.5, 1.5),
        ("ref-claude-3-opus", 15.0, 75.0),
        ("ref-claude-3-sonnet", 3.0, 15.0),
        ("ref-claude-3-haiku", 0.25, 1.25),
        ("ref-gemini-pro", 0.5, 1.5),
        ("ref-self-hosted-llama-70b-high", 5.0, 5.0),
    ];
    for (id, input, output) in expected {
        let rates = shipped().price(id).unwrap().rows[0].rates(ServiceTier::Standard, false);
        assert_eq!((rates.input.unwrap().get(), rates.output.unwrap().get()), (input, output), "{id}");
    }
    let per_request = |size: &str| shipped().price(size).unwrap().rows[0].usd_per_request.unwrap();
    let bill = 70_000.0 * per_request("ref-per-request-small")
        + 25_000.0 * per_request("ref-per-request-medium")
        + 5_000.0 * per_request("ref-per-request-large");
    assert!((bill - 820.0).abs() < 1e-9);
}

#[test]
fn the_hash_is_the_same_each_time_and_ids_are_unique() {
    assert_eq!(shipped().content_hash(), shipped().clone().content_hash());
    assert_eq!(shipped().content_hash().len(), 64);
    let ids: HashSet<_> = shipped().prices.iter().map(|sheet| &sheet.id).collect();
    assert_eq!(ids.len(), shipped().prices.len());
}
