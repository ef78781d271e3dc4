// The client of the scenarios with sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"quipu.compat/wire"
)

func config() *sarama.Config {
	made := sarama.NewConfig()
	made.Version = sarama.MaxVersion
	made.Metadata.Retry.Max = 100
	return made
}

func client(options wire.Options) sarama.Client {
	made, err := sarama.NewClient(wire.Servers(options), config())
	wire.Must(err)
	return made
}

func produce(options wire.Options) {
	settings := config()
	settings.Producer.Idempotent = true
	settings.Net.MaxOpenRequests = 1 // sarama asks for it
	settings.Producer.RequiredAcks = sarama.WaitForAll
	settings.Producer.Retry.Max = 100
	settings.Producer.Return.Successes = true
	settings.Producer.Flush.Frequency = 5 * time.Millisecond
	settings.Producer.Partitioner = sarama.NewMurmur2Partitioner
	wire.Must(settings.Producer.Compression.UnmarshalText([]byte(options.Codec)))
	producer, err := sarama.NewAsyncProducer(wire.Servers(options), settings)
	wire.Must(err)
	var told sync.WaitGroup
	told.Add(2)
	go func() {
		defer told.Done()
		for message := range producer.Successes() {
			wire.Print(wire.Ack{I: message.Metadata.(*int), Partition: message.Partition, Offset: message.Offset})
		}
	}()
	go func() {
		defer told.Done()
		for failed := range producer.Errors() {
			wire.Must(failed)
		}
	}()
	wire.Lines(func(one wire.Record) {
		message := &sarama.ProducerMessage{Topic: options.Topic, Metadata: one.I}
		if one.Key != nil {
			message.Key = sarama.StringEncoder(*one.Key)
		}
		if one.Value != nil {
			message.Value = sarama.StringEncoder(*one.Value)
		}
		if one.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers,
				sarama.RecordHeader{Key: []byte(header.Key), Value: wire.Bytes(header.Value)})
		}
		producer.Input() <- message
	})
	producer.AsyncClose()
	told.Wait()
}

func show(message *sarama.ConsumerMessage) {
	shown := wire.Record{Partition: message.Partition, Offset: message.Offset, Headers: []wire.Header{},
		Timestamp: wire.Milliseconds(message.Timestamp), Key: wire.Text(message.Key), Value: wire.Text(message.Value)}
	for _, header := range message.Headers {
		shown.Headers = append(shown.Headers, wire.Header{Key: string(header.Key), Value: wire.Text(header.Value)})
	}
	wire.Print(shown)
}

func consume(options wire.Options) {
	consumer, err := sarama.NewConsumer(wire.Servers(options), config())
	wire.Must(err)
	messages := make(chan *sarama.ConsumerMessage, 10000)
	for partition := range options.Partitions {
		start := sarama.OffsetOldest
		if offset, given := options.Offsets[partition]; given {
			start = offset
		}
		reader, err := consumer.ConsumePartition(options.Topic, partition, start)
		wire.Must(err)
		go func() {
			for message := range reader.Messages() {
				messages <- message
			}
		}()
	}
	for range options.Count {
		show(<-messages)
	}
}

type member struct{}

func (member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, more := <-claim.Messages():
			if !more {
				return nil
			}
			show(message)
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func group(options wire.Options) {
	settings := config()
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	settings.Consumer.Group.Session.Timeout = 10 * time.Second
	settings.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	settings.Consumer.Group.Rebalance.Retry.Max = 100
	settings.Net.ReadTimeout = 10 * time.Second
	joined, err := sarama.NewConsumerGroup(wire.Servers(options), options.Group, settings)
	wire.Must(err)
	session, cancel := context.WithCancel(context.Background())
	go func() {
		<-wire.InputEnded()
		cancel()
	}()
	for session.Err() == nil {
		if err := joined.Consume(session, []string{options.Topic}, member{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	wire.Must(joined.Close())
}

func times(options wire.Options) {
	for partition := range options.Partitions {
		offset, err := client(options).GetOffset(options.Topic, partition, options.Time)
		wire.Must(err)
		wire.Print(wire.Ack{Partition: partition, Offset: offset})
	}
}

func groupOffsets(admin sarama.ClusterAdmin, name string) (any, error) {
	told, err := admin.ListConsumerGroupOffsets(name, nil)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, partitions := range told.Blocks {
		for partition, one := range partitions {
			offsets[partition] = one.Offset
		}
	}
	return offsets, nil
}

func describeGroup(admin sarama.ClusterAdmin, name string) (any, error) {
	told, err := admin.DescribeConsumerGroups([]string{name})
	if err != nil {
		return nil, err
	}
	return map[string]any{"state": told[0].State, "members": len(told[0].Members)}, nil
}

func keys[V any](all map[string]V) []string {
	names := []string{}
	for name := range all {
		names = append(names, name)
	}
	return names
}

func call(admin sarama.ClusterAdmin, call wire.Call) (any, error) {
	switch call.Do {
	case "create_topic":
		configs := map[string]*string{}
		for key, value := range call.Configs {
			configs[key] = &value
		}
		return nil, admin.CreateTopic(call.Name, &sarama.TopicDetail{
			NumPartitions: call.Partitions, ReplicationFactor: call.Replicas, ConfigEntries: configs}, false)
	case "list_topics":
		told, err := admin.ListTopics()
		return keys(told), err
	case "create_partitions":
		return nil, admin.CreatePartitions(call.Name, call.Partitions, nil, false)
	case "describe_configs":
		told, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: call.Name})
		configs := map[string]string{}
		for _, config := range told {
			configs[config.Name] = config.Value
		}
		return configs, err
	case "alter_config":
		set := map[string]sarama.IncrementalAlterConfigsEntry{
			call.Key: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &call.Value}}
		return nil, admin.IncrementalAlterConfig(sarama.TopicResource, call.Name, set, false)
	case "delete_records":
		return nil, admin.DeleteRecords(call.Name, map[int32]int64{call.Partition: call.Offset})
	case "list_groups":
		told, err := admin.ListConsumerGroups()
		return keys(told), err
	case "describe_group":
		return describeGroup(admin, call.Name)
	case "group_offsets":
		return groupOffsets(admin, call.Name)
	case "delete_group":
		return nil, admin.DeleteConsumerGroup(call.Name)
	case "delete_topic":
		return nil, admin.DeleteTopic(call.Name)
	case "describe_cluster":
		brokers, _, err := admin.DescribeCluster()
		return map[string]any{"brokers": len(brokers)}, err
	}
	return nil, errors.New(call.Do)
}

func admin(options wire.Options) {
	admin, err := sarama.NewClusterAdmin(wire.Servers(options), config())
	wire.Must(err)
	wire.Lines(func(one wire.Call) { wire.Answer(call(admin, one)) })
}

func main() {
	wire.Main(map[string]func(wire.Options){
		"produce": produce, "consume": consume, "group": group, "times": times, "admin": admin})
}
