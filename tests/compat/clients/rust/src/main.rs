// The client of the scenarios with rdkafka for Rust (librdkafka).
use std::collections::HashMap;
use std::io::{stdin, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde_json::{json, Map, Value};

type Failure = Box<dyn std::error::Error>;

const PATIENCE: Duration = Duration::from_secs(60);

fn print(line: Value) {
    println!("{line}");
}

fn text<'a>(options: &'a Value, name: &str) -> &'a str {
    options[name].as_str().unwrap_or_default()
}

fn client(options: &Value) -> ClientConfig {
    let mut made = ClientConfig::new();
    made.set("bootstrap.servers", text(options, "bootstrap"));
    made
}

struct Acknowledgements;

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, told: &DeliveryResult<'_>, i: Box<i64>) {
        match told {
            Ok(message) => print(json!({"i": *i, "partition": message.partition(), "offset": message.offset()})),
            Err((error, _)) => {
                eprintln!("record {i}: {error}");
                std::process::exit(1);
            }
        }
    }
}

fn produce(options: &Value) -> Result<(), Failure> {
    let producer: ThreadedProducer<Acknowledgements> = client(options)
        .set("enable.idempotence", "true")
        .set("compression.type", text(options, "codec"))
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "1000000")
        .create_with_context(Acknowledgements)?;
    for line in stdin().lock().lines() {
        let one: Value = serde_json::from_str(&line?)?;
        let mut headers = OwnedHeaders::new();
        for header in one["headers"].as_array().into_iter().flatten() {
            headers = headers.insert(Header { key: text(header, "key"), value: header["value"].as_str() });
        }
        let i = Box::new(one["i"].as_i64().ok_or("a record without its number")?);
        let mut record = BaseRecord::<str, str, Box<i64>>::with_opaque_to(text(options, "topic"), i).headers(headers);
        record.key = one["key"].as_str();
        record.payload = one["value"].as_str();
        record.timestamp = one["timestamp"].as_i64();
        producer.send(record).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

fn words(bytes: Option<&[u8]>) -> Value {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).into()
}

fn show(message: &BorrowedMessage) {
    let headers: Vec<Value> = message.headers().iter().flat_map(|all| all.iter())
        .map(|header| json!({"key": header.key, "value": words(header.value)})).collect();
    print(json!({"partition": message.partition(), "offset": message.offset(),
                 "timestamp": message.timestamp().to_millis(), "key": words(message.key()),
                 "value": words(message.payload()), "headers": headers}));
}

fn consumer(options: &Value) -> Result<BaseConsumer, Failure> {
    let group = options["group"].as_str().map_or(format!("unused-{}", std::process::id()), String::from);
    Ok(client(options).set("group.id", group).set("auto.offset.reset", "earliest")
        .set("auto.commit.interval.ms", "200").set("session.timeout.ms", "10000").create()?)
}

fn partitions(options: &Value, offset: impl Fn(i32) -> Offset) -> Result<TopicPartitionList, Failure> {
    let mut all = TopicPartitionList::new();
    for partition in 0..options["partitions"].as_i64().unwrap_or(0) as i32 {
        all.add_partition_offset(text(options, "topic"), partition, offset(partition))?;
    }
    Ok(all)
}

fn consume(options: &Value) -> Result<(), Failure> {
    let consumer = consumer(options)?;
    consumer.assign(&partitions(options, |partition| {
        options["offsets"][partition.to_string()].as_i64().map_or(Offset::Beginning, Offset::Offset)
    })?)?;
    let mut left = options["count"].as_i64().unwrap_or(0);
    while left > 0 {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {  // None before its time at other events
            show(&message?);
            left -= 1;
        }
    }
    Ok(())
}

fn group(options: &Value) -> Result<(), Failure> {
    let consumer = consumer(options)?;
    consumer.subscribe(&[text(options, "topic")])?;
    let ended = Arc::new(AtomicBool::new(false));
    let tell = ended.clone();
    std::thread::spawn(move || {
        stdin().lock().lines().for_each(drop);
        tell.store(true, Ordering::Relaxed);
    });
    while !ended.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => show(&message),
            Some(Err(error)) => eprintln!("{error}"),
            None => (),
        }
    }
    Ok(())
}

fn times(options: &Value) -> Result<(), Failure> {
    let time = options["time"].as_i64().ok_or("no time")?;
    let found = consumer(options)?.offsets_for_times(partitions(options, |_| Offset::Offset(time))?, PATIENCE)?;
    for one in found.elements() {
        print(json!({"partition": one.partition(), "offset": one.offset().to_raw()}));
    }
    Ok(())
}

fn only<T, E: ToString>(told: Vec<Result<T, E>>) -> Result<T, Failure> {
    let one = told.into_iter().next().ok_or("no answer")?;
    one.map_err(|error| error.to_string().into())
}

// Errors of single topics and groups come with their names.
fn only_named(told: Vec<Result<String, (String, rdkafka::types::RDKafkaErrorCode)>>) -> Result<Value, Failure> {
    only(told.into_iter().map(|one| one.map_err(|(_, error)| format!("{error:?}"))).collect()).map(Value::from)
}

fn call(admin: &AdminClient<DefaultClientContext>, call: &Value) -> Result<Value, Failure> {
    let (name, options) = (text(call, "name"), AdminOptions::new());
    let count = call["partitions"].as_i64().unwrap_or(0);
    match text(call, "do") {
        "create_topic" => {
            let mut topic = NewTopic::new(name, count as i32, TopicReplication::Fixed(3));
            for (key, value) in call["configs"].as_object().into_iter().flatten() {
                topic = topic.set(key, value.as_str().unwrap_or_default());
            }
            only_named(block_on(admin.create_topics(&[topic], &options))?)
        }
        "list_topics" => Ok(admin.inner().fetch_metadata(None, PATIENCE)?.topics().iter().map(|t| t.name()).collect()),
        "describe_cluster" => {
            Ok(json!({"brokers": admin.inner().fetch_metadata(None, PATIENCE)?.brokers().len()}))
        }
        "create_partitions" => {
            let more = NewPartitions::new(name, count as usize);
            only_named(block_on(admin.create_partitions(&[more], &options))?)
        }
        "describe_configs" => {
            let told = only(block_on(admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options))?)?;
            let all: Map<String, Value> = told.entries.into_iter().map(|e| (e.name, e.value.into())).collect();
            Ok(Value::Object(all))
        }
        "alter_config" => {
            let entries = HashMap::from([(text(call, "key"), text(call, "value"))]);
            let config = AlterConfig { specifier: ResourceSpecifier::Topic(name), entries };
            block_on(admin.alter_configs(&[config], &options))?.into_iter().for_each(drop);
            Ok(Value::Null)
        }
        "delete_records" => {
            let mut before = TopicPartitionList::new();
            let partition = call["partition"].as_i64().unwrap_or(0) as i32;
            before.add_partition_offset(name, partition, Offset::Offset(call["offset"].as_i64().unwrap_or(0)))?;
            for one in block_on(admin.delete_records(&before, &options))?.elements() {
                one.error()?;
            }
            Ok(Value::Null)
        }
        "list_groups" => {
            let all = admin.inner().fetch_group_list(None, PATIENCE)?;
            Ok(all.groups().iter().map(|group| group.name()).collect())
        }
        "describe_group" => {
            let found = admin.inner().fetch_group_list(Some(name), PATIENCE)?;
            let one = found.groups().first().ok_or("no such group")?;
            Ok(json!({"state": one.state(), "members": one.members().len()}))
        }
        "delete_group" => only_named(block_on(admin.delete_groups(&[name], &options))?),
        "delete_topic" => only_named(block_on(admin.delete_topics(&[name], &options))?),
        other => Err(other.into()),
    }
}

fn admin(options: &Value) -> Result<(), Failure> {
    let admin: AdminClient<DefaultClientContext> = client(options).create()?;
    for line in stdin().lock().lines() {
        print(match call(&admin, &serde_json::from_str(&line?)?) {
            Ok(told) => json!({"ok": told}),
            Err(error) => json!({"error": error.to_string()}),
        });
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let options: Value = serde_json::from_str(&arguments[2])?;
    match arguments[1].as_str() {
        "produce" => produce(&options),
        "consume" => consume(&options),
        "group" => group(&options),
        "times" => times(&options),
        "admin" => admin(&options),
        verb => Err(verb.into()),
    }
}
