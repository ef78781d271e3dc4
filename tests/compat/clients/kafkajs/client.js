// The client of the scenarios with kafkajs.
const fs = require('fs')
const readline = require('readline')
const { once } = require('events')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = require('kafkajs')
const lz4 = require('lz4js')
const snappy = require('kafkajs-snappy')
const zstd = require('@bokuweb/zstd-wasm')

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})
const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const print = items => fs.writeSync(1, items.map(item => JSON.stringify(item) + '\n').join(''))
const text = buffer => (buffer == null ? null : buffer.toString())

// Records go one partition a send. A send of several may answer for some brokers, then find a partition
// led by one of those, and end well without having sent it there.
async function produce(kafka, options) {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 50, maxRetryTime: 1000 } })
  const admin = kafka.admin()
  await Promise.all([producer.connect(), admin.connect()])
  const { topics } = await admin.fetchTopicMetadata({ topics: [options.topic] })
  await admin.disconnect()
  const partition = Partitioners.DefaultPartitioner()
  const send = async lines => {
    const parts = new Map()
    for (const line of lines) {
      const record = JSON.parse(line)
      const headers = Object.fromEntries(record.headers.map(({ key, value }) => [key, value]))
      const message = { key: record.key, value: record.value, headers, timestamp: record.timestamp?.toString() }
      const where = partition({ topic: options.topic, partitionMetadata: topics[0].partitions, message })
      if (!parts.has(where)) parts.set(where, [])
      parts.get(where).push({ i: record.i, message: { ...message, partition: where } })
    }
    const sends = [...parts.entries()].map(async ([where, records]) => {
      const messages = records.map(({ message }) => message)
      const [told] = await producer.send({ topic: options.topic, compression: codecs[options.codec], messages })
      const base = Number(told.baseOffset)
      print(records.map(({ i }, n) => ({ i, partition: where, offset: base + n })))
    })
    await Promise.all(sends)
  }
  let lines = []
  for await (const line of readline.createInterface({ input: process.stdin })) {
    lines.push(line)
    if (lines.length < 500) continue
    await send(lines)
    lines = []
  }
  if (lines.length) await send(lines)
  await producer.disconnect()
}

const shown = (partition, message) => ({
  partition,
  offset: Number(message.offset),
  timestamp: Number(message.timestamp),
  key: text(message.key),
  value: text(message.value),
  headers: Object.entries(message.headers).map(([key, value]) => ({ key, value: text(value) })),
})

async function consume(kafka, options) {
  const consumer = kafka.consumer({ groupId: 'unused-' + process.pid + Date.now(), maxWaitTimeInMs: 200 })
  await consumer.connect()
  await consumer.subscribe({ topic: options.topic, fromBeginning: true })
  let left = options.count
  const done = new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        print(batch.messages.map(message => shown(batch.partition, message)))
        left -= batch.messages.length
        if (left <= 0) resolve()
      },
    })
  })
  for (const [partition, offset] of Object.entries(options.offsets ?? {})) {
    consumer.seek({ topic: options.topic, partition: Number(partition), offset: String(offset) })
  }
  await done
  await consumer.disconnect()
}

async function group(kafka, options) {
  const consumer = kafka.consumer({
    groupId: options.group, sessionTimeout: 10000, rebalanceTimeout: 10000, heartbeatInterval: 500, maxWaitTimeInMs: 200,
  })
  await consumer.connect()
  await consumer.subscribe({ topic: options.topic, fromBeginning: true })
  await consumer.run({
    autoCommitInterval: 200,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, heartbeat, isStale }) => {
      if (isStale()) return
      print(batch.messages.map(message => shown(batch.partition, message)))
      resolveOffset(batch.lastOffset())
      await commitOffsetsIfNecessary()
      await heartbeat()
    },
  })
  process.stdin.resume()
  await once(process.stdin, 'end')
  await consumer.disconnect()
}

async function times(kafka, options) {
  const admin = kafka.admin()
  await admin.connect()
  const told = await admin.fetchTopicOffsetsByTimestamp(options.topic, options.time)
  print(told.map(({ partition, offset }) => ({ partition, offset: Number(offset) })))
  await admin.disconnect()
}

const calls = {
  create_topic: async (admin, { name, partitions, replicas, configs }) => {
    const configEntries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const made = await admin.createTopics({
      topics: [{ topic: name, numPartitions: partitions, replicationFactor: replicas, configEntries }],
    })
    if (!made) throw new Error('TOPIC_ALREADY_EXISTS')
  },
  list_topics: admin => admin.listTopics(),
  create_partitions: (admin, { name, partitions }) =>
    admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] }),
  describe_configs: async (admin, { name }) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name }],
    })
    return Object.fromEntries(resources[0].configEntries.map(({ configName, configValue }) => [configName, configValue]))
  },
  alter_config: async (admin, { name, key, value }) => {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: [{ name: key, value }] }],
    })
  },
  delete_records: (admin, { name, partition, offset }) =>
    admin.deleteTopicRecords({ topic: name, partitions: [{ partition, offset: String(offset) }] }),
  list_groups: async admin => (await admin.listGroups()).groups.map(({ groupId }) => groupId),
  describe_group: async (admin, { name }) => {
    const { groups } = await admin.describeGroups([name])
    return { state: groups[0].state, members: groups[0].members.length }
  },
  group_offsets: async (admin, { name }) => {
    const topics = await admin.fetchOffsets({ groupId: name })
    const rows = topics.flatMap(({ partitions }) => partitions)
    return Object.fromEntries(rows.map(({ partition, offset }) => [partition, Number(offset)]))
  },
  delete_group: (admin, { name }) => admin.deleteGroups([name]),
  delete_topic: (admin, { name }) => admin.deleteTopics({ topics: [name] }),
  describe_cluster: async admin => ({ brokers: (await admin.describeCluster()).brokers.length }),
}

const errorName = error => error.groups?.[0]?.error?.type ?? error.errors?.[0]?.type ?? error.type ?? error.message

async function admin(kafka) {
  const client = kafka.admin()
  await client.connect()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: verb, ...given } = JSON.parse(line)
    try {
      print([{ ok: (await calls[verb](client, given)) ?? null }])
    } catch (error) {
      print([{ error: errorName(error) }])
    }
  }
  await client.disconnect()
}

async function main() {
  await zstd.init()
  const options = JSON.parse(process.argv[3])
  const kafka = new Kafka({
    clientId: 'compat', brokers: options.bootstrap.split(','), logLevel: logLevel.WARN, requestTimeout: 10000,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 30 },
  })
  await { produce, consume, group, times, admin }[process.argv[2]](kafka, options)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
