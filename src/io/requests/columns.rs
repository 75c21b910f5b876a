//! The table as Parquet: groups of rows, a column after the other, spans as nullable doubles.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::COLUMNS;
use crate::sim::{RequestRecord, SimTime};

/// Rows that are held and written together: some 10 MB.
const GROUP_ROWS: usize = 65_536;

/// Values of a column, and where they are not null.
#[derive(Debug)]
struct Column<T> {
    values: Vec<T>,
    /// 1 where there is a value, 0 where there is none.
    there: Vec<i16>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { values: Vec::new(), there: Vec::new() }
    }
}

impl<T> Column<T> {
    fn push(&mut self, value: Option<T>) {
        self.there.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.there.clear();
    }

    fn write<D: DataType<T = T>>(&self, group: &mut SerializedRowGroupWriter<'_, File>) -> io::Result<()> {
        let Some(mut column) = group.next_column().map_err(other)? else { return Ok(()) };
        column.typed::<D>().write_batch(&self.values, Some(&self.there), None).map_err(other)?;
        column.close().map_err(other)
    }
}

/// The rows of a group, and the file that they go to.
pub(super) struct Columns {
    writer: SerializedFileWriter<File>,
    rows: usize,
    id: Column<i64>,
    /// stream, replica, prompt, cached, output, preemptions, retries.
    numbers: [Column<i32>; 7],
    /// arrival, queue, ttft, tpot, e2e.
    secs: [Column<f64>; 5],
    /// endpoint, outcome.
    names: [Column<ByteArray>; 2],
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Columns {
    pub fn new(file: File) -> io::Result<Self> {
        let properties = Arc::new(WriterProperties::builder().build());
        let writer = SerializedFileWriter::new(file, schema()?, properties).map_err(other)?;
        Ok(Self {
            writer,
            rows: 0,
            id: Column::default(),
            numbers: Default::default(),
            secs: Default::default(),
            names: Default::default(),
        })
    }

    pub fn write(&mut self, record: &RequestRecord, endpoint: Option<Cow<'_, str>>) -> io::Result<()> {
        // Counts are stored as signed; what does not fit in them never was.
        let count = |n: u32| Some(i32::try_from(n).unwrap_or(i32::MAX));
        let secs = |span: Option<SimTime>| span.map(SimTime::secs);
        self.id.push(Some(i64::try_from(record.id).unwrap_or(i64::MAX)));
        let numbers = [
            Some(i32::from(record.stream)),
            record.replica.and_then(count),
            count(record.prompt_tokens),
            count(record.cached_tokens),
            count(record.output_tokens),
            count(record.preemptions),
            count(record.retries),
        ];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, value)| column.push(value));
        let spans = [
            Some(record.arrival.secs()),
            secs(record.queue),
            secs(record.ttft),
            record.tpot_secs(),
            secs(record.e2e),
        ];
        self.secs.iter_mut().zip(spans).for_each(|(column, value)| column.push(value));
        let names = [endpoint.map(|name| ByteArray::from(&*name)), Some(record.outcome.name().into())];
        self.names.iter_mut().zip(names).for_each(|(column, value)| column.push(value));
        self.rows += 1;
        if self.rows >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes the rows held, in the order of [`COLUMNS`].
    fn flush(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(other)?;
        let [stream, replica, prompt, cached, output, preemptions, retries] = &self.numbers;
        let [arrival, queue, ttft, tpot, e2e] = &self.secs;
        let [endpoint, outcome] = &self.names;
        self.id.write::<Int64Type>(&mut group)?;
        stream.write::<Int32Type>(&mut group)?;
        arrival.write::<DoubleType>(&mut group)?;
        endpoint.write::<ByteArrayType>(&mut group)?;
        for numbers in [replica, prompt, cached, output] {
            numbers.write::<Int32Type>(&mut group)?;
        }
        for secs in [queue, ttft, tpot, e2e] {
            secs.write::<DoubleType>(&mut group)?;
        }
        preemptions.write::<Int32Type>(&mut group)?;
        retries.write::<Int32Type>(&mut group)?;
        outcome.write::<ByteArrayType>(&mut group)?;
        group.close().map_err(other)?;
        self.rows = 0;
        self.id.clear();
        self.numbers.iter_mut().for_each(Column::clear);
        self.secs.iter_mut().for_each(Column::clear);
        self.names.iter_mut().for_each(Column::clear);
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.close().map(drop).map_err(other)
    }
}

/// All columns may be null, so that each is written the same way.
fn schema() -> io::Result<Arc<Type>> {
    let column = |name: &&'static str| {
        let (physical, converted) = match *name {
            "id" => (Physical::INT64, ConvertedType::NONE),
            "endpoint" | "outcome" => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
            name if name.ends_with("_s") => (Physical::DOUBLE, ConvertedType::NONE),
            _ => (Physical::INT32, ConvertedType::NONE),
        };
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(converted)
            .build()
            .map(Arc::new)
            .map_err(other)
    };
    let fields = COLUMNS.iter().map(column).collect::<io::Result<_>>()?;
    Type::group_type_builder("requests").with_fields(fields).build().map(Arc::new).map_err(other)
}

fn other(error: parquet::errors::ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;

    use super::super::RequestsWriter;
    use super::*;
    use crate::sim::Outcome;

    #[test]
    fn a_table_of_several_groups_is_read_again_as_it_was_written() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("requests.parquet");
        let mut writer = RequestsWriter::create(&path, vec!["own".to_owned()]).expect("begins");
        let n = GROUP_ROWS + 5;
        for id in 0..n {
            let served = id % 2 == 0;
            let span = |ns: u64| served.then_some(SimTime(ns));
            writer
                .write(&RequestRecord {
                    id: id as u64,
                    stream: 1,
                    arrival: SimTime(1_000_000 * id as u64),
                    endpoint: served.then_some(0),
                    replica: served.then_some(3),
                    prompt_tokens: 512,
                    cached_tokens: 16,
                    output_tokens: 11,
                    queue: span(500_000_000),
                    ttft: span(1_000_000_000),
                    e2e: span(2_000_000_000),
                    preemptions: 2,
                    retries: 1,
                    outcome: if served { Outcome::Served } else { Outcome::Rejected },
                })
                .expect("writes");
        }
        assert_eq!(writer.finish().expect("in place"), n as u64);
        let reader = SerializedFileReader::new(File::open(&path).expect("opens")).expect("Parquet");
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let columns = reader.metadata().file_metadata().schema_descr().columns().iter();
        assert_eq!(columns.map(|column| column.name().to_owned()).collect::<Vec<_>>(), COLUMNS);
        let mut rows = 0;
        for (id, row) in reader.get_row_iter(None).expect("rows").enumerate() {
            let row = row.expect("row");
            assert_eq!(row.get_long(0).expect("id"), id as i64);
            if id % 2 == 0 {
                assert_eq!(row.get_string(3).expect("endpoint"), "own");
                assert_eq!((row.get_int(4).expect("replica"), row.get_int(7).expect("output")), (3, 11));
                assert_eq!(row.get_double(10).expect("tpot"), 0.1);
                assert_eq!(row.get_string(14).expect("outcome"), "served");
            } else {
                assert!(row.get_double(9).is_err(), "ttft is null");
                assert_eq!(row.get_string(14).expect("outcome"), "rejected");
            }
            rows += 1;
        }
        assert_eq!(rows, n);
    }
}
