// The client of the scenarios with node-rdkafka (librdkafka).
const fs = require('fs')
const readline = require('readline')
const { setTimeout } = require('timers/promises')
const { promisify } = require('util')
const { AdminClient, KafkaConsumer, Producer } = require('node-rdkafka')

const PATIENCE_MS = 60000
const NOTHING_COMMITTED = -1001

const print = items => fs.writeSync(1, items.map(item => JSON.stringify(item) + '\n').join(''))
const text = buffer => (buffer == null ? null : buffer.toString())
const call = (object, name, ...given) => promisify(object[name]).call(object, ...given)
const lines = () => readline.createInterface({ input: process.stdin })

async function connected(client) {
  client.on('event.error', error => console.error(error.message))
  await call(client, 'connect', { timeout: PATIENCE_MS })
  return client
}

async function produce(options) {
  const settings = {
    'bootstrap.servers': options.bootstrap, 'enable.idempotence': true, 'compression.type': options.codec,
    'linger.ms': 5, 'queue.buffering.max.messages': 200000, dr_cb: true,
  }
  const producer = await connected(new Producer(settings, { partitioner: 'murmur2_random' }))
  let open = 0
  producer.on('delivery-report', (error, report) => {
    if (error) throw error
    --open
    print([{ i: report.opaque, partition: report.partition, offset: report.offset }])
  })
  producer.setPollInterval(10)
  for await (const line of lines()) {
    const { i, key, value, timestamp, headers } = JSON.parse(line)
    ++open
    producer.produce(options.topic, null, value == null ? null : Buffer.from(value), key, timestamp, i,
                     headers.map(header => ({ [header.key]: header.value })))
  }
  while (open > 0) await setTimeout(10)  // a flush may end before the last reports come
  await call(producer, 'disconnect', PATIENCE_MS)
}

const shown = message => ({
  partition: message.partition,
  offset: message.offset,
  timestamp: message.timestamp,
  key: text(message.key),
  value: text(message.value),
  headers: (message.headers ?? []).flatMap(Object.entries).map(([key, value]) => ({ key, value: text(value) })),
})

function consumerOf(options, settings = {}) {
  const group = options.group ?? 'unused-' + process.pid + Date.now()
  const consumer = new KafkaConsumer(
    { 'bootstrap.servers': options.bootstrap, 'group.id': group, ...settings }, { 'auto.offset.reset': 'earliest' })
  consumer.setDefaultConsumeTimeout(100)
  return connected(consumer)
}

const partitionsOf = (options, offsetOf) =>
  Array.from({ length: options.partitions }, (_, partition) => ({ topic: options.topic, partition, offset: offsetOf(partition) }))

async function consume(options) {
  const consumer = await consumerOf(options, { 'enable.auto.commit': false })
  consumer.assign(partitionsOf(options, partition => options.offsets?.[partition] ?? 0))
  for (let left = options.count; left > 0;) {
    const messages = await call(consumer, 'consume', 1000)
    print(messages.map(shown))
    left -= messages.length
  }
  await call(consumer, 'disconnect')
}

async function group(options) {
  const consumer = await consumerOf(options, { 'auto.commit.interval.ms': 200, 'session.timeout.ms': 10000 })
  consumer.subscribe([options.topic])
  let ended = false
  process.stdin.on('end', () => { ended = true }).resume()
  while (!ended) {
    try {
      print((await call(consumer, 'consume', 1000)).map(shown))
    } catch (error) {
      console.error(error.message)  // of a broker that is gone, for one
    }
  }
  await call(consumer, 'disconnect')
}

async function times(options) {
  const consumer = await consumerOf(options)
  const found = await call(consumer, 'offsetsForTimes', partitionsOf(options, () => options.time), PATIENCE_MS)
  print(found.map(({ partition, offset }) => ({ partition, offset })))
  await call(consumer, 'disconnect')
}

// Its admin client has three calls; what metadata and consumers tell is asked as its users do.
async function asConsumer(options, group, ask) {
  const consumer = await consumerOf({ ...options, group })
  try {
    return await ask(consumer, await call(consumer, 'getMetadata', { timeout: PATIENCE_MS }))
  } finally {
    await call(consumer, 'disconnect')
  }
}

const calls = {
  create_topic: (admin, _, { name, partitions, replicas, configs }) =>
    call(admin, 'createTopic', { topic: name, num_partitions: partitions, replication_factor: replicas, config: configs }),
  create_partitions: (admin, _, { name, partitions }) => call(admin, 'createPartitions', name, partitions, PATIENCE_MS),
  delete_topic: (admin, _, { name }) => call(admin, 'deleteTopic', name, PATIENCE_MS),
  list_topics: (_, options) => asConsumer(options, undefined, (_, { topics }) => topics.map(topic => topic.name)),
  describe_cluster: (_, options) => asConsumer(options, undefined, (_, { brokers }) => ({ brokers: brokers.length })),
  group_offsets: (_, options, { name }) => asConsumer(options, name, async (consumer, { topics }) => {
    const all = topics.flatMap(topic => topic.partitions.map(({ id }) => ({ topic: topic.name, partition: id })))
    const told = await call(consumer, 'committed', all, PATIENCE_MS)
    const committed = told.filter(({ offset }) => offset !== undefined && offset !== NOTHING_COMMITTED)
    return Object.fromEntries(committed.map(({ partition, offset }) => [partition, offset]))
  }),
}

async function admin(options) {
  const client = AdminClient.create({ 'bootstrap.servers': options.bootstrap })
  for await (const line of lines()) {
    const { do: verb, ...given } = JSON.parse(line)
    try {
      print([{ ok: (await calls[verb](client, options, given)) ?? null }])
    } catch (error) {
      print([{ error: error.message }])
    }
  }
  client.disconnect()
}

const [verb, options] = process.argv.slice(2)
const verbs = { produce, consume, group, times, admin }
verbs[verb](JSON.parse(options)).catch(error => {
  console.error(error)
  process.exit(1)
})
