// The client of the scenarios with franz-go.
package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"quipu.compat/wire"
)

var background = context.Background()

func client(options wire.Options, more ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(more, kgo.SeedBrokers(wire.Servers(options)...))...)
	wire.Must(err)
	return made
}

func produce(options wire.Options) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	kafka := client(options, kgo.DefaultProduceTopic(options.Topic), kgo.ProducerBatchCompression(codecs[options.Codec]),
		kgo.ProducerLinger(5*time.Millisecond))
	wire.Lines(func(one wire.Record) {
		record := &kgo.Record{Key: wire.Bytes(one.Key), Value: wire.Bytes(one.Value)}
		if one.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Key, Value: wire.Bytes(header.Value)})
		}
		kafka.Produce(background, record, func(told *kgo.Record, err error) {
			wire.Must(err)
			wire.Print(wire.Ack{I: one.I, Partition: told.Partition, Offset: told.Offset})
		})
	})
	wire.Must(kafka.Flush(background))
	kafka.Close()
}

func show(record *kgo.Record) {
	shown := wire.Record{Partition: record.Partition, Offset: record.Offset, Headers: []wire.Header{},
		Timestamp: wire.Milliseconds(record.Timestamp), Key: wire.Text(record.Key), Value: wire.Text(record.Value)}
	for _, header := range record.Headers {
		shown.Headers = append(shown.Headers, wire.Header{Key: header.Key, Value: wire.Text(header.Value)})
	}
	wire.Print(shown)
}

func consume(options wire.Options) {
	starts := map[int32]kgo.Offset{}
	for partition := range options.Partitions {
		starts[partition] = kgo.NewOffset().At(options.Offsets[partition])
	}
	kafka := client(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{options.Topic: starts}))
	for left := options.Count; left > 0; {
		fetches := kafka.PollFetches(background)
		wire.Must(fetches.Err())
		fetches.EachRecord(show)
		left -= fetches.NumRecords()
	}
	kafka.Close()
}

func group(options wire.Options) {
	kafka := client(options, kgo.ConsumerGroup(options.Group), kgo.ConsumeTopics(options.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll(),
		kgo.AutoCommitInterval(200*time.Millisecond), kgo.SessionTimeout(10*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.OnPartitionsRevoked(func(ctx context.Context, kafka *kgo.Client, _ map[string][]int32) {
			if err := kafka.CommitMarkedOffsets(ctx); err != nil {
				println("commit at a revocation:", err.Error()) // they come again, to another member
			}
		}))
	var ended atomic.Bool
	polling, cancel := context.WithCancel(background)
	go func() {
		<-wire.InputEnded()
		ended.Store(true)
		cancel()
	}()
	for !ended.Load() {
		fetches := kafka.PollFetches(polling)
		fetches.EachError(func(_ string, partition int32, err error) {
			if err != context.Canceled {
				println("partition", partition, err.Error())
			}
		})
		fetches.EachRecord(show)
		kafka.MarkCommitRecords(fetches.Records()...)
		kafka.AllowRebalance()
		wire.Flush()
	}
	wire.Must(kafka.CommitMarkedOffsets(background))
	kafka.CloseAllowingRebalance()
}

func times(options wire.Options) {
	found, err := kadm.NewClient(client(options)).ListOffsetsAfterMilli(background, options.Time, options.Topic)
	wire.Must(err)
	found.Each(func(one kadm.ListedOffset) {
		wire.Must(one.Err)
		wire.Print(wire.Ack{Partition: one.Partition, Offset: one.Offset})
	})
}

func call(admin *kadm.Client, call wire.Call) (any, error) {
	switch call.Do {
	case "create_topic":
		configs := map[string]*string{}
		for key, value := range call.Configs {
			configs[key] = &value
		}
		told, err := admin.CreateTopic(background, call.Partitions, call.Replicas, configs, call.Name)
		if err == nil {
			err = told.Err
		}
		return nil, err
	case "list_topics":
		told, err := admin.ListTopics(background)
		return told.Names(), err
	case "create_partitions":
		told, err := admin.UpdatePartitions(background, int(call.Partitions), call.Name)
		if err == nil {
			err = told.Error()
		}
		return nil, err
	case "describe_configs":
		told, err := admin.DescribeTopicConfigs(background, call.Name)
		if err != nil {
			return nil, err
		}
		configs := map[string]string{}
		for _, config := range told[0].Configs {
			configs[config.Key] = config.MaybeValue()
		}
		return configs, told[0].Err
	case "alter_config":
		set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: call.Key, Value: &call.Value}}
		told, err := admin.AlterTopicConfigs(background, set, call.Name)
		if err == nil {
			err = told[0].Err
		}
		return nil, err
	case "delete_records":
		var offsets kadm.Offsets
		offsets.AddOffset(call.Name, call.Partition, call.Offset, -1)
		told, err := admin.DeleteRecords(background, offsets)
		if err == nil {
			err = told.Error()
		}
		return nil, err
	case "list_groups":
		told, err := admin.ListGroups(background)
		return told.Groups(), err
	case "describe_group":
		told, err := admin.DescribeGroups(background, call.Name)
		if err != nil {
			return nil, err
		}
		return map[string]any{"state": told[call.Name].State, "members": len(told[call.Name].Members)}, told.Error()
	case "group_offsets":
		told, err := admin.FetchOffsets(background, call.Name)
		offsets := map[int32]int64{}
		told.Each(func(one kadm.OffsetResponse) { offsets[one.Partition] = one.At })
		return offsets, err
	case "delete_group":
		told, err := admin.DeleteGroup(background, call.Name)
		if err == nil {
			err = told.Err
		}
		return nil, err
	case "delete_topic":
		told, err := admin.DeleteTopic(background, call.Name)
		if err == nil {
			err = told.Err
		}
		return nil, err
	case "describe_cluster":
		told, err := admin.BrokerMetadata(background)
		return map[string]any{"brokers": len(told.Brokers)}, err
	}
	return nil, kerr.InvalidRequest
}

func admin(options wire.Options) {
	client := kadm.NewClient(client(options))
	wire.Lines(func(one wire.Call) { wire.Answer(call(client, one)) })
}

func main() {
	wire.Main(map[string]func(wire.Options){
		"produce": produce, "consume": consume, "group": group, "times": times, "admin": admin})
}
